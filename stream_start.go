package warren

import (
	"time"
)

// StreamStart is where in a stream a consumer begins to read
// (x-stream-offset). The zero value is StreamNext.
type StreamStart struct{ arg any }

// StreamFirst begins with the oldest message that the stream still has.
func StreamFirst() StreamStart { return StreamStart{"first"} }

// StreamLast begins with the newest message.
func StreamLast() StreamStart { return StreamStart{"last"} }

// StreamNext begins with the messages that are yet to come.
func StreamNext() StreamStart { return StreamStart{"next"} }

// StreamOffset begins with the message that has the offset n, or with the
// oldest one if that has gone. A stream's first message has the offset 0. If
// there is no message n yet, those before it are left out. A negative n counts
// back from the end, as in LavinMQ: StreamOffset(-10) begins with the last ten.
func StreamOffset(n int64) StreamStart { return StreamStart{n} }

// StreamTime begins with the first message that came at t or later.
func StreamTime(t time.Time) StreamStart { return StreamStart{t} }

// StreamSince begins with the first message that came within the time d before
// this call.
func StreamSince(d time.Duration) StreamStart { return StreamTime(time.Now().Add(-d)) }
