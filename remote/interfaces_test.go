package remote_test

import (
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

var (
	_ warren.Caller          = (*remote.Broker)(nil)
	_ warren.Responder       = (*remote.Broker)(nil)
	_ warren.StreamCaller    = (*remote.Broker)(nil)
	_ warren.StreamResponder = (*remote.Broker)(nil)
	_ warren.ManyCaller      = (*remote.Broker)(nil)
	_ warren.Publisher       = (*remote.Broker)(nil)
	_ warren.Subscriber      = (*remote.Broker)(nil)
	_ warren.Declarer        = (*remote.Broker)(nil)
)
