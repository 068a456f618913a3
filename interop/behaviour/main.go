// Behaviour asks the broker at AMQP_URL many things by an AMQP client and writes
// down the answers: reply codes and texts, orders, counts, headers. Two brokers
// behave alike if the transcripts are equal. bash interop/behaviour/run compares
// the listener with RabbitMQ; differences.txt lists what is to differ, and why.
// "behaviour leave" is what is asked before a restart, "behaviour found" and
// "behaviour crashed" what is asked afterwards.
//
// What depends on accounts or on other nodes is not asked.
package main

import (
	"log"
	"os"
	"strings"
)

// sections are the parts of the transcript.
var sections = []struct {
	name string
	ask  func(*script)
}{
	{"connections", (*script).connections},
	{"channels", (*script).channels},
	{"frames of a message", (*script).frames},
	{"arguments of queues", (*script).queueArguments},
	{"declaring queues again", (*script).equivalence},
	{"queues", (*script).queues},
	{"exclusive queues", (*script).exclusiveQueues},
	{"auto-delete queues", (*script).autoDeleteQueues},
	{"exchanges", (*script).exchanges},
	{"auto-delete exchanges", (*script).autoDeleteExchanges},
	{"bindings", (*script).bindings},
	{"exchange to exchange", (*script).exchangeBindings},
	{"alternate exchanges", (*script).alternates},
	{"topics", (*script).topics},
	{"headers", (*script).headers},
	{"CC and BCC", (*script).copies},
	{"publishing", (*script).publishing},
	{"properties", (*script).properties},
	{"returns and confirms", (*script).confirms},
	{"consumers", (*script).consumers},
	{"priorities of consumers", (*script).consumerPriorities},
	{"the end of consumers", (*script).cancels},
	{"get", (*script).get},
	{"prefetch", (*script).prefetch},
	{"prefetch of a channel", (*script).sharedPrefetch},
	{"settling", (*script).settling},
	{"requeueing", (*script).requeueing},
	{"recovering", (*script).recovering},
	{"transactions", (*script).transactions},
	{"acks in transactions", (*script).transactionAcks},
	{"returns of transactions", (*script).transactionReturns},
	{"direct reply-to", (*script).replyTo},
	{"expiry of messages", (*script).expiry},
	{"expiry of queues", (*script).unusedQueues},
	{"length limits", (*script).limits},
	{"dead letters", (*script).deadLetters},
	{"deaths of one message", (*script).deaths},
	{"delivery limit", (*script).deliveryLimit},
	{"priorities", (*script).priorities},
	{"single active consumer", (*script).singleActive},
	{"arguments of streams", (*script).streamArguments},
	{"consumers of streams", (*script).streamConsumers},
	{"places in streams", (*script).streamPlaces},
	{"credit of streams", (*script).streamCredit},
	{"publishing to streams", (*script).streamPublishing},
	{"the end of streams", (*script).streamEnds},
	{"arguments of hash exchanges", (*script).hashArguments},
	{"consistent hash", (*script).hashing},
}

func main() {
	log.SetFlags(0)
	s := &script{url: os.Getenv("AMQP_URL"), out: os.Stdout}
	switch strings.Join(os.Args[1:], " ") {
	case "":
		for _, section := range sections {
			s.section(section.name, section.ask)
		}
	case "leave":
		s.say("\n== before a restart")
		s.leave()
	case "found":
		s.section("after a restart", (*script).found)
	case "crashed":
		s.section("after a crash", (*script).foundAfterCrash)
	default:
		log.Fatal("usage: behaviour [leave|found|crashed]")
	}
	if err := s.conn.Close(); err != nil {
		log.Fatal("behaviour: ", err)
	}
}
