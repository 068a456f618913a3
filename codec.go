package warren

import "encoding/json"

// Codec encodes values as message bodies and decodes them, for [CallFor] and
// [HandleFor].
type Codec interface {
	// ContentType is the ContentType of the messages whose body Marshal makes.
	ContentType() string
	Marshal(v any) ([]byte, error)
	Unmarshal(body []byte, v any) error
}

// JSON is the default codec.
type JSON struct{}

// ContentType returns "application/json".
func (JSON) ContentType() string { return "application/json" }

// Marshal calls [json.Marshal].
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal calls [json.Unmarshal].
func (JSON) Unmarshal(body []byte, v any) error { return json.Unmarshal(body, v) }

func codecOrJSON(c Codec) Codec {
	if c == nil {
		return JSON{}
	}
	return c
}
