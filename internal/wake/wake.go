package wake

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/turns"
	"owlatsync/source/notify"
)

// Watcher tells when rows of a sync may have changed; a *source.Watch does. It is used by one goroutine.
type Watcher interface {
	Moved(ctx context.Context) (bool, error)
}

// Listener hears channels until ctx ends, and returns the cause of that; a *notify.Listener does.
type Listener interface {
	Listen(ctx context.Context, tell notify.Told) error
}

// Options are what a Waker works with.
type Options struct {
	// Wake asks for a run. It is called from several goroutines and should return soon.
	Wake func(ctx context.Context, r turns.Request)
	// Watch opens what tells when rows of a sync may have changed. Done ends its use.
	Watch func(sync config.Sync) (w Watcher, done func() error, err error)
	// Listen makes a listener; nil: notify.New does.
	Listen func(connString string, channels []string) (Listener, error)
	Logger *slog.Logger
}

// Waker wakes syncs. It is safe for concurrent use.
type Waker struct {
	o Options

	mu   sync.Mutex
	ears map[string]*ear // what goes on, by what tells it apart

	heard sync.Map // name of a sync that listens → its *batch
}

// ear is one thing that a waker listens to: a server, or a cursor.
type ear struct {
	syncs []config.Sync // those that it wakes
	do    func(context.Context)
	end   context.CancelFunc
	done  chan struct{}
}

// New returns a waker that wakes nothing yet.
func New(o Options) *Waker {
	if o.Listen == nil {
		o.Listen = func(connString string, channels []string) (Listener, error) {
			return notify.New(connString, channels...)
		}
	}
	return &Waker{o: o, ears: make(map[string]*ear)}
}

// Set makes the waker wake these syncs, and no others. What goes on for syncs that are as before goes on. All syncs of one server share
// one connection. Set connects to nothing; the error says which sync cannot be listened to, and then nothing has changed.
func (w *Waker) Set(syncs []config.Sync) error {
	wanted := make(map[string]*ear)
	servers := make(map[string][]config.Sync)
	for _, s := range syncs {
		if s.Poll > 0 {
			wanted["cursor of "+s.Name] = &ear{syncs: []config.Sync{s}, do: func(ctx context.Context) { w.poll(ctx, s) }}
		}
		if s.Listen != "" {
			servers[s.Target.ConnString()] = append(servers[s.Target.ConnString()], s)
		}
	}
	for connString, syncs := range servers {
		listener, err := w.o.Listen(connString, channelsOf(syncs))
		if err != nil {
			return fmt.Errorf("sync %q: %w", syncs[0].Name, err)
		}
		wanted["server "+connString] = &ear{syncs: syncs, do: func(ctx context.Context) { w.listen(ctx, listener, syncs) }}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, e := range w.ears {
		if now := wanted[name]; now == nil || !reflect.DeepEqual(e.syncs, now.syncs) {
			e.stop()
			delete(w.ears, name)
		}
	}
	for name, e := range wanted {
		if w.ears[name] == nil {
			w.ears[name] = e
			e.start()
		}
	}
	return nil
}

// Astray says that a run of the sync read no row, because the keys that were told are those of no row: a payload may have been something
// else, such as the name of a table. The waker asks for a run of everything that changed, at most once a minute. It does nothing for
// a sync that listens to no channel.
func (w *Waker) Astray(sync string) {
	if b, listens := w.heard.Load(sync); listens {
		b.(*batch).astray()
	}
}

// Close ends everything, and returns when it has ended.
func (w *Waker) Close() { _ = w.Set(nil) }

func channelsOf(syncs []config.Sync) (channels []string) {
	for _, s := range syncs {
		channels = append(channels, s.Listen)
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

func (e *ear) start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.end, e.done = cancel, make(chan struct{})
	go func() {
		defer close(e.done)
		e.do(ctx)
	}()
}

func (e *ear) stop() {
	e.end()
	<-e.done
}

// listen wakes the syncs of one server.
func (w *Waker) listen(ctx context.Context, l Listener, syncs []config.Sync) {
	batches := make([]*batch, len(syncs))
	for i, s := range syncs {
		batches[i] = &batch{ask: func(keys []string) {
			w.o.Wake(ctx, turns.Request{Sync: s.Name, Why: turns.Notified, Keys: keys})
		}}
		w.heard.Store(s.Name, batches[i])
		defer func() {
			w.heard.CompareAndDelete(s.Name, batches[i])
			batches[i].end()
		}()
	}
	lost := false
	_ = l.Listen(ctx, notify.Told{ // it returns when ctx ends
		Listening: func() {
			if lost {
				w.o.Logger.Info("PostgreSQL is listened to again; everything that changed meanwhile is read", "syncs", namesOf(syncs))
			}
			lost = false
			for _, b := range batches {
				b.hear(nil)
			}
		},
		Notice: func(channel, payload string) {
			for i, s := range syncs {
				if s.Listen != channel {
					continue
				}
				keys, named := keysOf(payload)
				if !named {
					if strings.TrimSpace(payload) != "" {
						w.o.Logger.Debug("a payload names no keys, so that everything that changed is read", "sync", s.Name, "channel", channel)
					}
					keys = nil
				}
				batches[i].hear(keys)
			}
		},
		Lost: func(err error, pause time.Duration) {
			if !lost {
				w.o.Logger.Warn("PostgreSQL cannot be listened to; runs follow their schedules until it can", "syncs", namesOf(syncs), "error", err, "again", pause)
			}
			lost = true
		},
	})
}

func namesOf(syncs []config.Sync) string {
	names := make([]string, len(syncs))
	for i, s := range syncs {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

// longestPause is the longest time between two attempts to ask a cursor that cannot be asked.
const longestPause = time.Minute

// poll wakes a sync whose cursor moves.
func (w *Waker) poll(ctx context.Context, s config.Sync) {
	var watch Watcher
	done := func() error { return nil }
	defer func() {
		if err := done(); err != nil {
			w.o.Logger.Warn("the source was not closed", "sync", s.Name, "error", err)
		}
	}()
	pause := s.Poll
	for {
		moved, err := false, error(nil)
		if watch == nil {
			if opened, end, openErr := w.o.Watch(s); openErr != nil {
				err = openErr
			} else {
				watch, done = opened, end
			}
		}
		if err == nil {
			moved, err = watch.Moved(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if pause == s.Poll {
				w.o.Logger.Warn("the source cannot be asked whether rows have changed; runs follow their schedules until it can", "sync", s.Name, "error", err)
			}
			pause = min(2*pause, max(longestPause, s.Poll))
		default:
			if pause > s.Poll {
				w.o.Logger.Info("the source can be asked again whether rows have changed", "sync", s.Name)
			}
			pause = s.Poll
		}
		if moved {
			w.o.Wake(ctx, turns.Request{Sync: s.Name, Why: turns.Moved})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
