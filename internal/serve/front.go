package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
)

// front is where the service listens.
type front struct {
	log         *slog.Logger
	certificate *access.Certificate // nil: nothing is encrypted

	mu     sync.Mutex
	api    *api.API // nil: it has not begun
	broken func(error)
	main   *door
	public *door // nil: there is none
	served sync.WaitGroup
}

// door is one listener with its server.
type door struct {
	address  string // as configured
	listener net.Listener
	server   *http.Server // nil: it has not begun
}

// openFront opens the listeners. Nobody is served yet. Local says that nobody needs a token, so that only this machine may reach them.
func openFront(ctx context.Context, cfg config.Service, local bool, log *slog.Logger) (*front, error) {
	f := &front{log: log}
	var err error
	if cfg.TLS.Cert != "" {
		if f.certificate, err = access.OpenCertificate(cfg.TLS, log); err != nil {
			return nil, err
		}
	}
	if f.main, err = f.open(ctx, cfg.Listen, local); err != nil {
		return nil, err
	}
	if cfg.Public != "" {
		if f.public, err = f.open(ctx, cfg.Public, false); err != nil {
			return nil, errors.Join(err, f.main.listener.Close())
		}
	}
	return f, nil
}

func (f *front) open(ctx context.Context, address string, local bool) (*door, error) {
	l, err := access.Listen(ctx, address, local, f.certificate, access.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return &door{address: address, listener: l}, nil
}

// start serves the API. Broken is told if a listener fails.
func (f *front) start(a *api.API, broken func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.api, f.broken = a, broken
	f.begin(f.main, a.Handler())
	if f.public != nil {
		f.begin(f.public, a.Public())
	}
}

// begin serves one door. The caller holds the mutex.
func (f *front) begin(d *door, h http.Handler) {
	d.server = access.NewServer(h, access.DefaultLimits(), f.log)
	server, broken := d.server, f.broken
	f.served.Go(func() {
		if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			broken(err)
		}
	})
}

func (f *front) addresses() (at Addresses) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.Listen = f.main.listener.Addr().String(); f.public != nil {
		at.Public = f.public.listener.Addr().String()
	}
	return at
}

// doors are listeners that take the place of others; nil fields stay as they are.
type doors struct {
	main, public *door
	closes       bool // the public listener goes
}

// prepare opens the listeners of another configuration beside the present ones. An error says what cannot change while the service
// runs.
func (f *front) prepare(ctx context.Context, before, now config.Service, local bool) (next doors, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if (before.TLS.Cert != "") != (now.TLS.Cert != "") {
		return next, restartFor("serve.tls")
	}
	if now.Listen != before.Listen {
		if next.main, err = f.open(ctx, now.Listen, local); err != nil {
			return next, err
		}
	} else if host, _, _ := net.SplitHostPort(f.main.listener.Addr().String()); local && !net.ParseIP(host).IsLoopback() {
		return next, fmt.Errorf("serve.tokens: other machines reach %s, so the API needs tokens", now.Listen)
	}
	switch {
	case now.Public == before.Public:
	case now.Public == "":
		next.closes = true
	default:
		if next.public, err = f.open(ctx, now.Public, false); err != nil {
			next.drop()
			return doors{}, err
		}
	}
	return next, nil
}

// drop closes listeners that were prepared in vain.
func (d doors) drop() {
	for _, one := range []*door{d.main, d.public} {
		if one != nil {
			_ = one.listener.Close()
		}
	}
}

// replace puts other listeners in the place of the present ones. Requests that those have taken are answered.
func (f *front) replace(ctx context.Context, next doors) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var old []*door
	if next.main != nil {
		old = append(old, f.main)
		f.main = next.main
		if f.api != nil {
			f.begin(f.main, f.api.Handler())
		}
	}
	if next.public != nil || next.closes {
		if f.public != nil {
			old = append(old, f.public)
		}
		if f.public = next.public; f.public != nil && f.api != nil {
			f.begin(f.public, f.api.Public())
		}
	}
	for _, d := range old {
		f.served.Go(func() { d.stop(ctx) })
	}
}

func (d *door) stop(ctx context.Context) {
	if d.server == nil {
		_ = d.listener.Close()
		return
	}
	if err := d.server.Shutdown(ctx); err != nil {
		_ = d.server.Close()
	}
}

// stop ends the listeners; requests that they have taken are answered until ctx ends.
func (f *front) stop(ctx context.Context) {
	f.mu.Lock()
	all := []*door{f.main}
	if f.public != nil {
		all = append(all, f.public)
	}
	f.mu.Unlock()
	var ending sync.WaitGroup
	for _, d := range all {
		ending.Go(func() { d.stop(ctx) })
	}
	ending.Wait()
	f.served.Wait()
}

// close closes the listeners of a service that has not begun, and does nothing to one that was stopped.
func (f *front) close() error {
	for _, d := range []*door{f.main, f.public} {
		if d == nil {
			continue
		}
		if d.server != nil {
			_ = d.server.Close()
		} else if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	f.served.Wait()
	return nil
}
