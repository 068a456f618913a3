package metrics

import "runtime/debug"

// Compatible is the version of RabbitMQ whose metrics these are like.
const Compatible = "4.2.0"

const modulePath = "github.com/warrenmq/warren"

// Version returns the version of Warren that the program was built with, and "devel" if
// the program does not know it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	modules := append([]*debug.Module{&info.Main}, info.Deps...)
	for _, m := range modules {
		if m.Path == modulePath && m.Version != "" && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "devel"
}
