package warren

import "context"

// HandlerFrom returns the handler that works on a request, if ctx is its context or made
// from one. Otherwise it returns nil. Interceptors learn from it which queue is served.
func HandlerFrom(ctx context.Context) *Handler {
	h, _ := ctx.Value(handlerKey{}).(*Handler)
	return h
}

// VirtualHost returns the virtual host of the queue that the handler serves.
func (h *Handler) VirtualHost() *VirtualHost { return h.vhost }

// RemoteErrorOf returns the error of a handler in the form in which its caller gets it,
// with the code that it has there. Interceptors of handlers see the handler's own error.
// The result is nil for nil.
func RemoteErrorOf(err error) *RemoteError {
	if err == nil {
		return nil
	}
	return asRemoteError(err)
}
