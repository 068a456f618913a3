package queue

import (
	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/duplicates"
)

// rare is what most queues do not have. It is apart from the queue because there may be
// very many queues. The queue's lock guards it.
type rare struct {
	rareCounts

	seen     *duplicates.Cache // nil: no deduplication
	active   *Consumer         // if the queue is single; nil: no consumer
	lost     []Lost            // messages that deadLetter is to send
	alarm    clock.Alarm       // calls Ring
	lastUsed int64             // on the clock; kept up to date if rules.Expires is set

	ruleChange uint64 // number of the change that set the rules: see Obey
}

// seldom returns q.rare, which it makes at the first call. A queue that is single or
// looks for duplicates always has it. mu is held.
func (q *Queue) seldom() *rare {
	if q.rare == nil {
		q.rare = &rare{}
	}
	return q.rare
}
