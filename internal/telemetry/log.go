package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// NewLog returns a log on w of lines of at least this level, as text or as JSON. Each line that is written under a context of Within
// says which sync and run it is about.
func NewLog(w io.Writer, json bool, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(&handler{Handler: slog.NewJSONHandler(w, opts)})
	}
	return slog.New(&handler{Handler: slog.NewTextHandler(w, opts)})
}

// Running is the run that a context belongs to. Its number may become known later. It is safe for concurrent use.
type Running struct {
	sync string
	run  atomic.Int64
}

type runningKey struct{}

// Within returns a context of a run of the sync, for the log; the number of the run is 0 until Observe has been told it.
func Within(ctx context.Context, sync string, run int64) (context.Context, *Running) {
	r := &Running{sync: sync}
	r.run.Store(run)
	return context.WithValue(ctx, runningKey{}, r), r
}

// Observe takes the number of the run from its values. It is an observer's Each.
func (r *Running) Observe(v progress.Value) {
	if started, ok := v.(progress.Started); ok && started.Run != 0 {
		r.run.Store(started.Run)
	}
}

// The keys of a line that say what it is about.
const (
	keySync = "sync"
	keyRun  = "run"
)

// handler adds the run of the context to each line, unless the line says it itself.
type handler struct {
	slog.Handler
	says  map[string]bool // keys that the logger adds itself
	group bool            // what is added now would stand in a group
}

// Handle writes a line.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	running, ok := ctx.Value(runningKey{}).(*Running)
	if !ok || h.group {
		return h.Handler.Handle(ctx, r)
	}
	sync, run := !h.says[keySync], !h.says[keyRun]
	r.Attrs(func(a slog.Attr) bool {
		sync, run = sync && a.Key != keySync, run && a.Key != keyRun
		return true
	})
	r = r.Clone()
	if sync {
		r.AddAttrs(slog.String(keySync, running.sync))
	}
	if number := running.run.Load(); run && number != 0 {
		r.AddAttrs(slog.Int64(keyRun, number))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that adds attributes to each line.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := &handler{Handler: h.Handler.WithAttrs(attrs), says: map[string]bool{}, group: h.group}
	for key := range h.says {
		next.says[key] = true
	}
	for _, a := range attrs {
		next.says[a.Key] = true
	}
	return next
}

// WithGroup returns a handler whose further attributes stand in a group.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{Handler: h.Handler.WithGroup(name), says: h.says, group: h.group || name != ""}
}

// Narrate returns an observer's Each that logs the steps of a run. The engine logs its end and the rows that fail.
func Narrate(ctx context.Context, log *slog.Logger) func(progress.Value) {
	return func(v progress.Value) {
		switch v := v.(type) {
		case progress.Started:
			log.DebugContext(ctx, "run started", keySync, v.Sync, keyRun, v.Run)
		case progress.Staged:
			log.DebugContext(ctx, "stage", keySync, v.Sync, keyRun, v.Run, "stage", v.Stage)
		case progress.Planned:
			s := v.Summary
			log.DebugContext(ctx, "planned", keySync, v.Sync, keyRun, v.Run, "rows", s.Rows, "creates", s.Creates, "updates", s.Updates,
				"removals", s.Removals, "topic_adds", s.TopicAdds, "requests", s.Requests, "duration", s.Duration)
		case progress.Held:
			for _, hit := range v.Guards {
				log.WarnContext(ctx, "held by a guard", keySync, v.Sync, keyRun, v.Run, "guard", hit.Guard, "reason", hit.Reason)
			}
		case progress.Waiting:
			log.InfoContext(ctx, "lets other syncs have their turn", keySync, v.Sync, keyRun, v.Run)
		case progress.Afresh:
			log.InfoContext(ctx, "reads its source again", keySync, v.Sync, keyRun, v.Run, "stretch", v.Stretch)
		case progress.Ended:
			if v.Message != "" && v.Status != ledger.StatusHeld { // the guards were told
				log.WarnContext(ctx, "run did not end well", keySync, v.Sync, keyRun, v.Run, "status", v.Status, "message", v.Message)
			}
		}
	}
}
