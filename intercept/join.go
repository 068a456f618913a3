package intercept

import "github.com/warrenmq/warren"

// Join returns all the interceptors in one. Those of the first argument are the outermost.
func Join(all ...warren.Interceptors) (joined warren.Interceptors) {
	for _, i := range all {
		joined.Call = append(joined.Call, i.Call...)
		joined.Handle = append(joined.Handle, i.Handle...)
		joined.Publish = append(joined.Publish, i.Publish...)
		joined.Consume = append(joined.Consume, i.Consume...)
	}
	return joined
}

// around returns interceptors of all that works on a message: handlers, and functions
// that consume.
func around(handle func(warren.HandlerFunc) warren.HandlerFunc, consume func(warren.DeliveryFunc) warren.DeliveryFunc) warren.Interceptors {
	i := handlers(handle)
	i.Consume = []func(warren.DeliveryFunc) warren.DeliveryFunc{consume}
	return i
}

func handlers(f func(warren.HandlerFunc) warren.HandlerFunc) warren.Interceptors {
	return warren.Interceptors{Handle: []func(warren.HandlerFunc) warren.HandlerFunc{f}}
}

func calls(f func(warren.CallFunc) warren.CallFunc) warren.Interceptors {
	return warren.Interceptors{Call: []func(warren.CallFunc) warren.CallFunc{f}}
}
