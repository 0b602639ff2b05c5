package serve

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notifier tells systemd how the service is; see sd_notify(3). The zero value tells nobody.
type Notifier struct {
	socket string
	every  time.Duration // between two signs of life; 0: nobody waits for them
}

// NewNotifier returns the notifier for the environment in which systemd starts services. It removes nothing from it: no command of
// the service starts other processes.
func NewNotifier(lookup func(name string) (string, bool)) Notifier {
	socket, _ := lookup("NOTIFY_SOCKET")
	if socket == "" || socket[0] != '/' && socket[0] != '@' {
		return Notifier{}
	}
	n := Notifier{socket: socket}
	if pid, set := lookup("WATCHDOG_PID"); set && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	text, _ := lookup("WATCHDOG_USEC")
	if limit, err := strconv.ParseInt(text, 10, 64); err == nil && limit > 0 && limit < int64(1000*time.Hour/time.Microsecond) {
		n.every = time.Duration(limit) * time.Microsecond / 3
	}
	return n
}

// tell sends a state such as "READY=1". It never waits for whoever should read it.
func (n Notifier) tell(states ...string) error {
	if n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	var text []byte
	for _, s := range states {
		text = append(append(text, s...), '\n')
	}
	if _, err := conn.Write(text); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// watch gives signs of life as long as alive returns no error, until ctx ends. Without them systemd starts the service anew.
func (n Notifier) watch(ctx context.Context, alive func(context.Context) error, failed func(error)) {
	if n.every <= 0 {
		return
	}
	ticker := time.NewTicker(n.every)
	defer ticker.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, n.every)
		err := alive(look)
		cancel()
		if err == nil {
			err = n.tell("WATCHDOG=1")
		}
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
