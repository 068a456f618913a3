package management_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUpstreamNeedsAnAddress(t *testing.T) {
	s := newSite(t, nil)
	for _, value := range []string{`{}`, `{"uri":null}`, `{"uri":[]}`, `{"uri":1}`, `"amqp://a"`} {
		answer := s.want(400, "PUT", "/api/parameters/federation-upstream/%2F/u", `{"value":`+value+`}`)
		require.Contains(t, answer.object()["reason"], "Validation failed")
	}
	for _, value := range []string{`{"uri":"amqp://a"}`, `{"uri":["amqp://a","amqp://b"]}`} {
		s.want(201, "PUT", "/api/parameters/federation-upstream/%2F/u", `{"value":`+value+`}`)
		s.want(204, "DELETE", "/api/parameters/federation-upstream/%2F/u", "")
	}
}
