package warren_test

import "github.com/warrenmq/warren"

// A program that is written against these runs on a broker or a virtual host of its own
// process, and with package remote on a broker elsewhere.
var (
	_, _ warren.Caller          = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.Responder       = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.StreamCaller    = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.StreamResponder = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.ManyCaller      = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.Publisher       = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.Subscriber      = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)
	_, _ warren.Declarer        = (*warren.Broker)(nil), (*warren.VirtualHost)(nil)

	_ warren.Declarer = (*warren.Channel)(nil)
)
