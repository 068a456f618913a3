package warren

import "encoding/json"

// Codec turns values into bodies and back, for [CallFor] and [HandleFor].
type Codec interface {
	// ContentType is set on the messages that Marshal makes.
	ContentType() string
	Marshal(v any) ([]byte, error)
	Unmarshal(body []byte, v any) error
}

// JSON is the codec that is used when no other is given.
type JSON struct{}

// ContentType is "application/json".
func (JSON) ContentType() string { return "application/json" }

// Marshal is [json.Marshal].
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal is [json.Unmarshal].
func (JSON) Unmarshal(body []byte, v any) error { return json.Unmarshal(body, v) }

func codecOrJSON(c Codec) Codec {
	if c == nil {
		return JSON{}
	}
	return c
}
