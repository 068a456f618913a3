package warren

import "sync/atomic"

// churn counts what comes and goes, whether or not somebody reads changes.
type churn struct {
	sessionsOpened, sessionsClosed atomic.Uint64
	channelsOpened, channelsClosed atomic.Uint64
	queuesDeclared, queuesDeleted  atomic.Uint64
	logins, loginsRefused          atomic.Uint64
}

// countLogin counts an attempt to log in.
func (c *churn) countLogin(accepted bool) {
	if accepted {
		c.logins.Add(1)
	} else {
		c.loginsRefused.Add(1)
	}
}
