package warren

import (
	"context"
	"fmt"
	"iter"
)

// CallStreamFor is CallStream with values instead of bodies: it encodes the request, and
// decodes each item into an R. An item that cannot be decoded ends the loop with an error.
func CallStreamFor[R any](ctx context.Context, c StreamCaller, queue string, request any, opts ...CallOptions) iter.Seq2[R, error] {
	codec, msg := codecOf(opts)
	return func(yield func(R, error) bool) {
		var none R
		msg := msg
		var err error
		if msg.Body, err = codec.Marshal(request); err != nil {
			yield(none, fmt.Errorf("warren: encode the request to '%s': %w", queue, err))
			return
		}
		decodeItems(codec, c.CallStream(ctx, queue, msg, nil, opts...), yield, func(err error) error {
			return fmt.Errorf("warren: decode an item from '%s': %w", queue, err)
		})
	}
}

// CallBothFor is a CallStream that sends a stream of values, and gets one: in is encoded
// and sent beside the loop, see [Broker.CallStream]. The request itself has no body. An
// item that cannot be encoded goes to the handler as an error, which ends in.
func CallBothFor[R, Q any](ctx context.Context, c StreamCaller, queue string, in iter.Seq2[Q, error], opts ...CallOptions) iter.Seq2[R, error] {
	codec, msg := codecOf(opts)
	return func(yield func(R, error) bool) {
		out := encodeItems(codec, in)
		decodeItems(codec, c.CallStream(ctx, queue, msg, out, opts...), yield, func(err error) error {
			return fmt.Errorf("warren: decode an item from '%s': %w", queue, err)
		})
	}
}

// codecOf returns the codec of a typed call, and its request without a body.
func codecOf(opts []CallOptions) (Codec, Message) {
	o := callOptions(opts)
	codec, msg := codecOrJSON(o.Codec), o.Properties
	msg.Body = nil
	if msg.ContentType == "" {
		msg.ContentType = codec.ContentType()
	}
	return codec, msg
}

// HandleStreamFor is HandleStream with values instead of bodies: it decodes each request
// into a Q and encodes the items that f returns. If decoding or encoding fails, the caller
// gets a [*RemoteError] with [CodeCodec]. [RequestFrom] tells f the rest of the request.
func HandleStreamFor[Q, R any](r StreamResponder, queue string, f func(context.Context, Q) iter.Seq2[R, error], opts ...HandleOptions) (*Handler, error) {
	if f == nil {
		return r.HandleStream(queue, nil, opts...)
	}
	codec := codecOrJSON(handleOptions(opts).Codec)
	return r.HandleStream(queue, func(ctx context.Context, req *Request, _ iter.Seq2[Message, error]) iter.Seq2[Message, error] {
		var q Q
		if err := codec.Unmarshal(req.Body, &q); err != nil {
			return failed(&RemoteError{Code: CodeCodec, Text: textDecode, Err: err})
		}
		return encodeItems(codec, f(ctx, q))
	}, opts...)
}

// HandleBothFor is HandleStreamFor for callers that send a stream of values: see
// [CallBothFor]. An item of a caller that cannot be decoded comes to f as a *RemoteError
// with [CodeCodec], and is the last.
func HandleBothFor[Q, R any](r StreamResponder, queue string, f func(ctx context.Context, in iter.Seq2[Q, error]) iter.Seq2[R, error], opts ...HandleOptions) (*Handler, error) {
	if f == nil {
		return r.HandleStream(queue, nil, opts...)
	}
	codec := codecOrJSON(handleOptions(opts).Codec)
	return r.HandleStream(queue, func(ctx context.Context, _ *Request, in iter.Seq2[Message, error]) iter.Seq2[Message, error] {
		return encodeItems(codec, f(ctx, func(yield func(Q, error) bool) {
			decodeItems(codec, in, yield, func(err error) error {
				return &RemoteError{Code: CodeCodec, Text: textDecode, Err: err}
			})
		}))
	}, opts...)
}

// failed is a sequence that ends with an error at once.
func failed(err error) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) { yield(Message{}, err) }
}

// encodeItems encodes values. Nil stays nil.
func encodeItems[T any](codec Codec, values iter.Seq2[T, error]) iter.Seq2[Message, error] {
	if values == nil {
		return nil
	}
	contentType := codec.ContentType()
	return func(yield func(Message, error) bool) {
		for v, err := range values {
			m := Message{ContentType: contentType}
			if err == nil {
				if m.Body, err = codec.Marshal(v); err != nil {
					err = &RemoteError{Code: CodeCodec, Text: textEncode, Err: err}
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// decodeItems decodes messages. wrap makes an error of one that cannot be decoded.
func decodeItems[T any](codec Codec, items iter.Seq2[Message, error], yield func(T, error) bool, wrap func(error) error) {
	for m, err := range items {
		var v T
		if err == nil {
			if err = codec.Unmarshal(m.Body, &v); err != nil {
				err = wrap(err)
			}
		}
		if !yield(v, err) || err != nil {
			return
		}
	}
}
