package warren

import (
	"context"
	"fmt"
)

// CallFor is Call with values instead of bodies: it encodes the request, and decodes
// the reply into an R. Headers and other properties of the request are in
// [CallOptions].Properties.
func CallFor[R any](ctx context.Context, c Caller, queue string, request any, opts ...CallOptions) (R, error) {
	var result R
	o := callOptions(opts)
	codec, msg := codecOrJSON(o.Codec), o.Properties
	var err error
	if msg.Body, err = codec.Marshal(request); err != nil {
		return result, fmt.Errorf("warren: encode the request to '%s': %w", queue, err)
	}
	if msg.ContentType == "" {
		msg.ContentType = codec.ContentType()
	}
	reply, err := c.Call(ctx, queue, msg, opts...)
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
// a [*RemoteError] with [CodeCodec]. [RequestFrom] tells f the headers and everything
// else about the request.
func HandleFor[Q, R any](r Responder, queue string, f func(context.Context, Q) (R, error), opts ...HandleOptions) (*Handler, error) {
	if f == nil {
		return r.Handle(queue, nil, opts...)
	}
	codec := codecOrJSON(handleOptions(opts).Codec)
	return r.Handle(queue, func(ctx context.Context, req *Request) (Message, error) {
		var q Q
		if err := codec.Unmarshal(req.Body, &q); err != nil {
			return Message{}, &RemoteError{Code: CodeCodec, Text: textDecode, Err: err}
		}
		result, err := f(ctx, q)
		if err != nil {
			return Message{}, err
		}
		body, err := codec.Marshal(result)
		if err != nil {
			return Message{}, &RemoteError{Code: CodeCodec, Text: textEncode, Err: err}
		}
		return Message{ContentType: codec.ContentType(), Body: body}, nil
	}, opts...)
}
