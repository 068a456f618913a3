package warren

import (
	"context"
	"fmt"
)

// CallFor is Call with values instead of bodies: it encodes the request, and decodes
// the reply into an R.
func CallFor[R any](ctx context.Context, c Caller, queue string, request any, opts ...CallOptions) (R, error) {
	var result R
	codec := codecOrJSON(callOptions(opts).Codec)
	body, err := codec.Marshal(request)
	if err != nil {
		return result, fmt.Errorf("warren: encode the request to '%s': %w", queue, err)
	}
	reply, err := c.Call(ctx, queue, Message{ContentType: codec.ContentType(), Body: body}, opts...)
	if err != nil {
		return result, err
	}
	if err := codec.Unmarshal(reply.Body, &result); err != nil {
		return result, fmt.Errorf("warren: decode the reply from '%s': %w", queue, err)
	}
	return result, nil
}

// HandleFor is Handle with values instead of bodies: it decodes each request into a
// Q and encodes the R that f returns. If decoding or encoding fails, the caller gets
// a [*RemoteError] with [CodeCodec].
func HandleFor[Q, R any](r Responder, queue string, f func(context.Context, Q) (R, error), opts ...HandleOptions) (*Handler, error) {
	if f == nil {
		return r.Handle(queue, nil, opts...)
	}
	codec := codecOrJSON(handleOptions(opts).Codec)
	return r.Handle(queue, func(ctx context.Context, req *Request) (Message, error) {
		var q Q
		if err := codec.Unmarshal(req.Body, &q); err != nil {
			return Message{}, &RemoteError{Code: CodeCodec, Text: fmt.Sprintf("decode the request: %v", err)}
		}
		result, err := f(ctx, q)
		if err != nil {
			return Message{}, err
		}
		body, err := codec.Marshal(result)
		if err != nil {
			return Message{}, &RemoteError{Code: CodeCodec, Text: fmt.Sprintf("encode the reply: %v", err)}
		}
		return Message{ContentType: codec.ContentType(), Body: body}, nil
	}, opts...)
}
