package model_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

var (
	onlySeed    = flag.Uint64("model.seed", 0, "the only seed that TestBrokerAgreesWithModel runs")
	openedCount = flag.Uint64("model.opened", uint64(brokertest.Less(20, 5)), "how many seeds TestOpenedBrokerAgreesWithModel runs")
	seedCount   = flag.Uint64("model.seeds", uint64(brokertest.Less(1000, 100)), "how many seeds TestBrokerAgreesWithModel runs")
)

// sides makes a fresh model and a fresh broker.
type sides func() (*model, anyServer)

func honestSides() (*model, anyServer) {
	return newModel(), realServer{warren.New(&warren.Options{Mailbox: mailboxSize, ReplyBuffer: replyBufferSize})}
}

// comparison carries out operations on both sides and compares.
type comparison struct {
	model, broker *world
	history       []string
	differ        string // the first disagreement
	over          bool   // what comes next is nobody's to say
	disk          *disk  // nil: nothing is on disk
}

func newComparison(sides sides) *comparison {
	model, server := sides()
	r := &comparison{model: newWorld(model), broker: newWorld(server)}
	if _, ok := server.(*openedServer); ok {
		r.disk = newDisk(model)
	}
	return r
}

// step carries out an operation and reports whether to go on: both sides still
// agree. A little time passes before each, so that no two messages have the
// same deadline.
func (r *comparison) step(op operation) bool {
	if r.pass(r.tick()); r.over {
		return false
	}
	tag := uint64(op.nth)
	if out := r.model.channels[op.channel].(*modelChannel).unacked; op.nth > 0 && op.nth <= len(out) {
		tag = out[op.nth-1].tag
	}
	text := strings.Replace(op.text, "TAG", fmt.Sprint(tag), 1)
	if op.unclear != nil && op.unclear(r.model) {
		return true
	}
	if op.restart != noRestart {
		r.history = append(r.history, fmt.Sprintf("%3d. %s", len(r.history)+1, text))
		return r.restart(op.restart)
	}
	want := op.do(r.model, tag)
	if r.over = r.model.server.(*model).ambiguous; r.over {
		return false
	}
	got := carefully(op, r.broker, tag)
	r.learn(want.names, got.names)
	got.text = r.symbolic(got.text)
	r.history = append(r.history, fmt.Sprintf("%3d. %s\n      %s", len(r.history)+1, text, strings.TrimSpace(want.text)))
	if r.disk != nil && brokertest.Paged { // what has expired on disk may be left until it is read
		want.text, got.text = left.ReplaceAllString(want.text, ""), left.ReplaceAllString(got.text, "")
	}
	if want.text != got.text {
		r.differ = fmt.Sprintf("in the answer:\n      model:  %s\n      broker: %s", want.text, got.text)
		return false
	}
	if r.disk != nil {
		synctest.Wait() // messages come from the disk
		r.disk.note(&op, want.text)
	}
	return r.compareStates()
}

// compareStates compares what is there.
func (r *comparison) compareStates() bool {
	has, have := r.model.state(), r.broker.state()
	// The model counts less than the broker: neither properties nor what a consumer
	// without ack has not read. At the end nothing may be left: see finish.
	have.stats.Bytes = min(have.stats.Bytes, has.stats.Bytes)
	have.stats.Memory = 0
	if r.disk != nil { // bodies are on disk
		has.stats.Bytes, have.stats.Bytes = 0, 0
	}
	have.stats.TopologyBytes = 0 // the model does not know it
	if want, got := has, have; want != got {
		r.differ = "in what is there then:" + fieldsThatDiffer(want.stats, got.stats) + fieldsThatDiffer(want.queues, got.queues)
		return false
	}
	return true
}

var left = regexp.MustCompile(`, \d+ left`)

// tick is what passes before each operation. Deadlines of messages on disk have
// milliseconds.
func (r *comparison) tick() time.Duration {
	if r.disk != nil && brokertest.Paged {
		return time.Millisecond
	}
	return time.Microsecond
}

func (r *comparison) pass(d time.Duration) {
	r.model.server.Pass(d)
	if r.over = r.model.server.(*model).ambiguous; !r.over {
		r.broker.server.Pass(d)
	}
}

// fieldsThatDiffer shows the fields, or elements, in which two values differ.
func fieldsThatDiffer(model, broker any) (s string) {
	m, b := reflect.ValueOf(model), reflect.ValueOf(broker)
	field, name := m.NumField, func(i int) string { return m.Type().Field(i).Name }
	at := reflect.Value.Field
	if m.Kind() == reflect.Array {
		field, name, at = m.Len, func(i int) string { return queueNames[i] }, reflect.Value.Index
	}
	for i := range field() {
		if m, b := at(m, i).Interface(), at(b, i).Interface(); m != b {
			s += fmt.Sprintf("\n      %s: model %+v, broker %+v", name(i), m, b)
		}
	}
	return s
}

// carefully turns a panic into an answer, so that its history is shrunk like
// any other.
func carefully(op operation, w *world, tag uint64) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{text: fmt.Sprint("panic: ", p)}
		}
	}()
	return op.do(w, tag)
}

// learn notes which of the broker's names stands for which of the model's.
func (r *comparison) learn(model, broker []string) {
	for i, name := range model {
		_, known := r.broker.names[name]
		if !known && isChosen(name) && i < len(broker) && isChosen(broker[i]) && r.symbolic(broker[i]) == broker[i] {
			r.model.names[name], r.broker.names[name] = name, broker[i]
		}
	}
}

// symbolic puts the model's names into what the broker said.
func (r *comparison) symbolic(text string) string {
	if strings.Contains(text, "amq.") {
		for model, broker := range r.broker.names {
			text = strings.ReplaceAll(text, broker, model)
		}
	}
	return text
}

// end closes a broker that has a directory.
func (r *comparison) end() {
	if r.disk != nil {
		_ = r.broker.server.Close()
	}
}

// finish reads, closes and deletes everything; nothing may be left.
func (r *comparison) finish() {
	for _, op := range drain() {
		if !r.step(op) {
			return
		}
	}
	err := r.broker.watching.Close()
	s := r.broker.server.Stats()
	if err != nil || s.Sessions+s.Queues+s.Consumers+s.Ready+s.Unacked+int(s.Bytes)+s.Requesters != 0 {
		r.differ = fmt.Sprintf("because the broker keeps something: %v, %+v", err, s)
	}
	if err := r.broker.server.Close(); err != nil {
		r.differ = fmt.Sprintf("at the end: %v", err)
	}
	if n := r.broker.server.Stats().Memory; n != 0 && r.disk == nil {
		r.differ = fmt.Sprintf("because %d bytes count that nobody has any more", n)
	}
}

func (r *comparison) String() string {
	return fmt.Sprintf("%s\n  They differ %s", strings.Join(r.history, "\n"), r.differ)
}

// explore makes a run of random operations.
func explore(t *testing.T, sides sides, seed uint64) (ops []operation, run *comparison) {
	synctest.Test(t, func(*testing.T) {
		run = newComparison(sides)
		defer run.end()
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), world: run.model, model: run.model.server.(*model)}
		g.durable = run.disk != nil
		g.rules = g.queueRules()
		for range 60 + g.IntN(90) {
			op := g.next()
			ops = append(ops, op)
			if !run.step(op) {
				return
			}
		}
		run.finish()
	})
	return ops, run
}

func replay(t *testing.T, sides sides, ops []operation) (run *comparison) {
	synctest.Test(t, func(*testing.T) {
		run = newComparison(sides)
		defer run.end()
		for _, op := range ops {
			if !run.step(op) {
				return
			}
		}
		run.finish()
	})
	return run
}

// shrink leaves out operations, many at a time and then one by one, as long
// as the sides still differ.
func shrink(t *testing.T, sides sides, ops []operation) ([]operation, *comparison) {
	for size := len(ops) / 2; size > 0; {
		shorter := false
		for i := 0; i+size <= len(ops); {
			without := slices.Concat(ops[:i], ops[i+size:])
			if replay(t, sides, without).differ != "" {
				ops, shorter = without, true
			} else {
				i += size
			}
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	return ops, replay(t, sides, ops)
}

// search tries seeds and returns the shortest of the first few histories
// that show a disagreement, or the first one that is short.
func search(t *testing.T, sides sides, first, last, step uint64) (seed uint64, ops []operation, short *comparison) {
	found := 0
	for s := first; s <= last && found < 5 && (short == nil || len(ops) > 8); s += step {
		all, run := explore(t, sides, s)
		if run.differ == "" {
			continue
		}
		found++
		if few, run := shrink(t, sides, all); short == nil || len(few) < len(ops) {
			seed, ops, short = s, few, run
		}
	}
	return seed, ops, short
}

// Random operations on the broker have the answers and the effects that the
// model says, one after another.
func TestBrokerAgreesWithModel(t *testing.T) {
	const chunks = 4
	first, last := uint64(1), *seedCount
	if *onlySeed != 0 {
		first, last = *onlySeed, *onlySeed
	}
	for chunk := range uint64(chunks) {
		t.Run(fmt.Sprint("chunk", chunk), func(t *testing.T) {
			t.Parallel()
			if seed, _, short := search(t, honestSides, first+chunk, last, chunks); short != nil {
				t.Fatalf("seed %d (go test ./tests/model -run TestBrokerAgreesWithModel -model.seed %d):\n%s", seed, seed, short)
			}
		})
	}
}
