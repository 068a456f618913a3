package warren

import "sync/atomic"

// churn counts what comes and goes, whether or not somebody reads changes.
type churn struct {
	sessionsOpened, sessionsClosed atomic.Uint64
	channelsOpened, channelsClosed atomic.Uint64
	queuesDeclared, queuesDeleted  atomic.Uint64
	logins, loginsRefused          atomic.Uint64
}

// count counts a change.
func (c *churn) count(kind changeKind) {
	switch kind {
	case sessionOpened:
		c.sessionsOpened.Add(1)
	case sessionClosed:
		c.sessionsClosed.Add(1)
	case channelOpened:
		c.channelsOpened.Add(1)
	case channelClosed:
		c.channelsClosed.Add(1)
	case queueDeclared:
		c.queuesDeclared.Add(1)
	case queueDeleted:
		c.queuesDeleted.Add(1)
	}
}

// countLogin counts an attempt to log in.
func (c *churn) countLogin(accepted bool) {
	if accepted {
		c.logins.Add(1)
	} else {
		c.loginsRefused.Add(1)
	}
}

func (c *churn) addTo(s *Stats) {
	s.SessionsOpened, s.SessionsClosed = c.sessionsOpened.Load(), c.sessionsClosed.Load()
	s.ChannelsOpened, s.ChannelsClosed = c.channelsOpened.Load(), c.channelsClosed.Load()
	s.QueuesDeclared, s.QueuesDeleted = c.queuesDeclared.Load(), c.queuesDeleted.Load()
	s.Logins, s.LoginsRefused = c.logins.Load(), c.loginsRefused.Load()
}
