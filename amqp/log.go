package amqp

import (
	"context"
	"log/slog"
)

// log writes to the logger of the server, if it has one.
func (s *Server) log(level slog.Level, text string, args ...any) {
	if l := s.options.Logger; l != nil {
		l.Log(context.Background(), level, text, args...)
	}
}
