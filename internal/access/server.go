package access

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Limits bounds what clients may take of a server.
type Limits struct {
	Connections int           // beyond it, clients wait to be accepted
	Headers     int           // bytes of a request's headers
	ReadHeader  time.Duration // for the headers of a request to come
	Read        time.Duration // for a whole request to come
	Write       time.Duration // for an answer to go; streams set their own
	Idle        time.Duration // for the next request of a connection
}

// DefaultLimits returns the limits of a service.
func DefaultLimits() Limits {
	return Limits{
		Connections: 2048, Headers: 16 << 10, ReadHeader: 10 * time.Second, Read: 30 * time.Second, Write: 60 * time.Second, Idle: 2 * time.Minute,
	}
}

// NewServer returns a server within limits. What goes wrong with single connections is logged at the level debug.
func NewServer(handler http.Handler, limits Limits, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: limits.ReadHeader, ReadTimeout: limits.Read, WriteTimeout: limits.Write, IdleTimeout: limits.Idle,
		MaxHeaderBytes: limits.Headers, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Listen opens host:port for at most limits.Connections at once. With local it refuses an address that other machines reach, because
// the service has no tokens. A nil certificate means that the listener does not encrypt.
func Listen(ctx context.Context, address string, local bool, certificate *Certificate, limits Limits) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen at %s: another program listens there already; stop it, or name another port under \"serve\" of the configuration: %w", address, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen at %s: the system does not allow it; ports below 1024 need a right of their own, so name a higher one: %w", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen at %s: the address is not one of this machine: %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen at %s: %w", address, err)
	}
	if local && !addrOf(l.Addr().String()).IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen at %s: other machines reach this address, so the API needs tokens: \"owlat-sync token\" makes one", address), l.Close())
	}
	return Wrap(l, certificate, limits), nil
}

// Wrap puts limits, and encryption if there is a certificate, on a listener.
func Wrap(l net.Listener, certificate *Certificate, limits Limits) net.Listener {
	l = netutil.LimitListener(l, limits.Connections)
	if certificate == nil {
		return l
	}
	cfg := certificate.Config()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	return tls.NewListener(l, cfg)
}
