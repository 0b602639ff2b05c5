package cluster

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// again is how often the same warning of River is logged: while PostgreSQL is away, each of its queues has one every second.
const again = 30 * time.Second

// quiet returns a log for River that has its warnings only, the same one now and then.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(warnings{log.Handler(), &said{at: make(map[string]time.Time)}})
}

type warnings struct {
	slog.Handler
	said *said
}

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler. What River calls an error is tried again, so it is a warning.
func (h warnings) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, "job cancelled remotely") || !h.said.due(r.Message, r.Time) { // the first is what somebody asked for
		return nil
	}
	told := slog.NewRecord(r.Time, slog.LevelWarn, "River: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool { told.AddAttrs(a); return true })
	return h.Handler.Handle(ctx, told)
}

// WithAttrs implements slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs), h.said}
}

// WithGroup implements slog.Handler.
func (h warnings) WithGroup(name string) slog.Handler {
	return warnings{h.Handler.WithGroup(name), h.said}
}
