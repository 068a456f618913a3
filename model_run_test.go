package warren_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

var (
	mbSeed  = flag.Uint64("model.seed", 0, "the only seed that TestBrokerAgreesWithModel runs")
	mbSeeds = flag.Uint64("model.seeds", uint64(brokertest.Less(1000, 100)), "how many seeds TestBrokerAgreesWithModel runs")
)

// mbSides makes a fresh model and a fresh broker.
type mbSides func() (*mbModel, mbServer)

func mbHonest() (*mbModel, mbServer) {
	return newMBModel(), mbBroker{warren.New(&warren.Options{Mailbox: mbMailbox, ReplyBuffer: mbReplyBuffer})}
}

// mbRun carries out operations on both sides and compares.
type mbRun struct {
	model, broker *mbWorld
	history       []string
	differ        string // the first disagreement
	over          bool   // what comes next is nobody's to say
}

func newMBRun(sides mbSides) *mbRun {
	model, server := sides()
	return &mbRun{model: newMBWorld(model), broker: newMBWorld(server)}
}

// step carries out an operation and reports whether to go on: both sides still
// agree. A little time passes before each, so that no two messages have the
// same deadline.
func (r *mbRun) step(op mbOp) bool {
	if r.pass(time.Microsecond); r.over {
		return false
	}
	tag := uint64(op.nth)
	if out := r.model.channels[op.channel].(*mbModelChannel).unacked; op.nth > 0 && op.nth <= len(out) {
		tag = out[op.nth-1].tag
	}
	text := strings.Replace(op.text, "TAG", fmt.Sprint(tag), 1)
	if op.unclear != nil && op.unclear(r.model) {
		return true
	}
	want := op.do(r.model, tag)
	if r.over = r.model.server.(*mbModel).ambiguous; r.over {
		return false
	}
	got := mbCarefully(op, r.broker, tag)
	r.learn(want.names, got.names)
	got.text = r.symbolic(got.text)
	r.history = append(r.history, fmt.Sprintf("%3d. %s\n      %s", len(r.history)+1, text, strings.TrimSpace(want.text)))
	if want.text != got.text {
		r.differ = fmt.Sprintf("in the answer:\n      model:  %s\n      broker: %s", want.text, got.text)
		return false
	}
	if want, got := r.model.state(), r.broker.state(); want != got {
		r.differ = "in what is there then:" + mbFields(want.stats, got.stats) + mbFields(want.queues, got.queues)
		return false
	}
	return true
}

func (r *mbRun) pass(d time.Duration) {
	r.model.server.Pass(d)
	if r.over = r.model.server.(*mbModel).ambiguous; !r.over {
		r.broker.server.Pass(d)
	}
}

// mbFields shows the fields, or elements, in which two values differ.
func mbFields(model, broker any) (s string) {
	m, b := reflect.ValueOf(model), reflect.ValueOf(broker)
	field, name := m.NumField, func(i int) string { return m.Type().Field(i).Name }
	at := reflect.Value.Field
	if m.Kind() == reflect.Array {
		field, name, at = m.Len, func(i int) string { return mbQueueNames[i] }, reflect.Value.Index
	}
	for i := range field() {
		if m, b := at(m, i).Interface(), at(b, i).Interface(); m != b {
			s += fmt.Sprintf("\n      %s: model %+v, broker %+v", name(i), m, b)
		}
	}
	return s
}

// mbCarefully turns a panic into an answer, so that its history is shrunk like
// any other.
func mbCarefully(op mbOp, w *mbWorld, tag uint64) (a mbAnswer) {
	defer func() {
		if p := recover(); p != nil {
			a = mbAnswer{text: fmt.Sprint("panic: ", p)}
		}
	}()
	return op.do(w, tag)
}

// learn notes which of the broker's names stands for which of the model's.
func (r *mbRun) learn(model, broker []string) {
	for i, name := range model {
		_, known := r.broker.names[name]
		if !known && mbIsChosen(name) && i < len(broker) && mbIsChosen(broker[i]) && r.symbolic(broker[i]) == broker[i] {
			r.model.names[name], r.broker.names[name] = name, broker[i]
		}
	}
}

// symbolic puts the model's names into what the broker said.
func (r *mbRun) symbolic(text string) string {
	if strings.Contains(text, "amq.") {
		for model, broker := range r.broker.names {
			text = strings.ReplaceAll(text, broker, model)
		}
	}
	return text
}

// finish reads, closes and deletes everything; nothing may be left.
func (r *mbRun) finish() {
	for _, op := range mbDrain() {
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
}

func (r *mbRun) String() string {
	return fmt.Sprintf("%s\n  They differ %s", strings.Join(r.history, "\n"), r.differ)
}

// mbExplore makes a run of random operations.
func mbExplore(t *testing.T, sides mbSides, seed uint64) (ops []mbOp, run *mbRun) {
	synctest.Test(t, func(*testing.T) {
		run = newMBRun(sides)
		g := &mbGen{Rand: rand.New(rand.NewPCG(seed, 0)), world: run.model, model: run.model.server.(*mbModel)}
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

func mbReplay(t *testing.T, sides mbSides, ops []mbOp) (run *mbRun) {
	synctest.Test(t, func(*testing.T) {
		run = newMBRun(sides)
		for _, op := range ops {
			if !run.step(op) {
				return
			}
		}
		run.finish()
	})
	return run
}

// mbShrink leaves out operations, many at a time and then one by one, as long
// as the sides still differ.
func mbShrink(t *testing.T, sides mbSides, ops []mbOp) ([]mbOp, *mbRun) {
	for size := len(ops) / 2; size > 0; {
		shorter := false
		for i := 0; i+size <= len(ops); {
			without := slices.Concat(ops[:i], ops[i+size:])
			if mbReplay(t, sides, without).differ != "" {
				ops, shorter = without, true
			} else {
				i += size
			}
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	return ops, mbReplay(t, sides, ops)
}

// mbSearch tries seeds and returns the shortest of the first few histories
// that show a disagreement, or the first one that is short.
func mbSearch(t *testing.T, sides mbSides, first, last, step uint64) (seed uint64, ops []mbOp, short *mbRun) {
	found := 0
	for s := first; s <= last && found < 5 && (short == nil || len(ops) > 8); s += step {
		all, run := mbExplore(t, sides, s)
		if run.differ == "" {
			continue
		}
		found++
		if few, run := mbShrink(t, sides, all); short == nil || len(few) < len(ops) {
			seed, ops, short = s, few, run
		}
	}
	return seed, ops, short
}

// Random operations on the broker have the answers and the effects that the
// model says, one after another.
func TestBrokerAgreesWithModel(t *testing.T) {
	const chunks = 4
	first, last := uint64(1), *mbSeeds
	if *mbSeed != 0 {
		first, last = *mbSeed, *mbSeed
	}
	for chunk := range uint64(chunks) {
		t.Run(fmt.Sprint("chunk", chunk), func(t *testing.T) {
			t.Parallel()
			if seed, _, short := mbSearch(t, mbHonest, first+chunk, last, chunks); short != nil {
				t.Fatalf("seed %d (go test -run TestBrokerAgreesWithModel -model.seed %d):\n%s", seed, seed, short)
			}
		})
	}
}
