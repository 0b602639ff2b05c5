package connection

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// ServeUntil serves handler on l, odd targets included, until ctx ends, then gives requests under way a second to finish. It
// closes l.
func ServeUntil(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // only reports what closing a listener twice reports
		}
	})
	err := server.Serve(Listener(l))
	if stop() {
		_ = server.Close()
		return err
	}
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
