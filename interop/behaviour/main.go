// Behaviour asks the broker at AMQP_URL many things by an AMQP client and writes
// down the answers: reply codes and texts, orders, counts, headers. Two brokers
// behave alike if the transcripts are equal. rabbitmq-3.10.8.txt is RabbitMQ's.
package main

import (
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	s := &script{url: os.Getenv("AMQP_URL"), out: os.Stdout}
	s.section("arguments of queues", s.queueArguments)
	s.section("declaring queues again", s.equivalence)
	s.section("queues", s.queues)
	s.section("exchanges", s.exchanges)
	s.section("bindings", s.bindings)
	s.section("publishing", s.publishing)
	s.section("consumers", s.consumers)
	s.section("settling", s.settling)
	s.section("modes of a channel", s.modes)
	s.section("direct reply-to", s.replyTo)
	s.section("expiry", s.expiry)
	s.section("length limits", s.limits)
	s.section("dead letters", s.deadLetters)
	s.section("delivery limit", s.deliveryLimit)
	s.section("priorities", s.priorities)
	s.section("single active consumer", s.singleActive)
	if err := s.conn.Close(); err != nil {
		log.Fatal("behaviour: ", err)
	}
}
