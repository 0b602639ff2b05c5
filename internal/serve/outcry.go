package serve

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/home"
	"owlatsync/internal/vitals"
)

// outcries tell that deployments are left out to those whom these deployments name: nobody else does, because nothing of them is open. It is
// safe for concurrent use.
type outcries struct {
	log   *slog.Logger
	agent string

	mu     sync.Mutex
	of     map[string]*outcry
	closed bool
}

// outcry tells it of one deployment.
type outcry struct {
	watcher *alert.Watcher
	end     context.CancelFunc
	ended   chan struct{}

	mu  sync.Mutex
	why string
}

// tell begins to tell why a deployment is not open, or goes on with another reason. What was told is kept where the deployment itself keeps it, so that it
// tells that this is over.
func (o *outcries) tell(set *config.Set, name string, alerts []config.Alert, why error) {
	alerts = slices.DeleteFunc(slices.Clone(alerts), func(a config.Alert) bool { return a.Owlat != nil }) // it has no client
	subs, err := alert.Channels(alerts, alert.Means{Agent: o.agent})
	if err != nil {
		o.log.Warn("nobody is told that a deployment is left out", "deployment", name, "error", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.of[name]
	switch {
	case o.closed || err != nil || len(subs) == 0 && c == nil:
		return
	case c == nil:
		c = &outcry{ended: make(chan struct{})}
		with := alert.Options{Signs: nothingElse{}, Closed: c.reason, Log: o.log.With("deployment", name), Deployment: name}
		if in := set.Ledger.Of(name); in.Postgres() {
			with.Store = new(forgetful)
		} else {
			with.Path = home.AlertsFile(in.Path)
		}
		c.watcher = alert.NewWatcher(with)
		var ctx context.Context
		ctx, c.end = context.WithCancel(context.Background())
		c.set(why)
		c.watcher.Set(subs, set.Service.URL)
		if o.of == nil {
			o.of = make(map[string]*outcry)
		}
		o.of[name] = c
		go func() { defer close(c.ended); c.watcher.Run(ctx) }()
	default:
		c.set(why)
		c.watcher.Set(subs, set.Service.URL)
	}
}

// still ends what is told of a deployment that is open, or gone.
func (o *outcries) still(name string) {
	o.mu.Lock()
	c := o.of[name]
	delete(o.of, name)
	o.mu.Unlock()
	if c != nil {
		c.end()
		<-c.ended
	}
}

// close ends everything that is told.
func (o *outcries) close() {
	o.mu.Lock()
	o.closed = true
	var names []string
	for name := range o.of {
		names = append(names, name)
	}
	o.mu.Unlock()
	for _, name := range names {
		o.still(name)
	}
}

func (c *outcry) set(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = why.Error()
}

func (c *outcry) reason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// nothingElse are the signs of a deployment of which nothing can be read.
type nothingElse struct{}

func (nothingElse) Now() time.Time { return time.Now() }

func (nothingElse) Read(_ context.Context, now time.Time) (vitals.Signs, error) {
	return vitals.Signs{At: now}, nil
}

// forgetful keeps what was told for as long as the process lives.
type forgetful struct{ text []byte }

// Load implements alert.Store.
func (f *forgetful) Load(context.Context) ([]byte, error) { return f.text, nil }

// Save implements alert.Store.
func (f *forgetful) Save(_ context.Context, text []byte) error {
	f.text = slices.Clone(text)
	return nil
}
