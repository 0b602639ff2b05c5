package cluster

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Cut is how a link fails.
type Cut string

const (
	Whole      Cut = ""            // everything passes
	Delayed    Cut = "delayed"     // everything passes later
	Held       Cut = "held"        // nothing passes, and everything does once the link is whole again
	Dropped    Cut = "dropped"     // what is sent is lost, and its connections stay dead for ever
	Refused    Cut = "refused"     // connections are reset
	Deaf       Cut = "deaf"        // what the client sends arrives, and the answers are lost
	LostServer Cut = "lost server" // the server's side is closed, and the client is not told
	LostClient Cut = "lost client" // the client's side is closed, and the server is not told
)

// dead reports whether connections that were there at such a cut are of no use afterwards.
func (c Cut) dead() bool { return c == Dropped || c == Deaf || c == LostServer || c == LostClient }

// Link is a TCP proxy that can fail in every way in which a network does.
type Link struct {
	listener net.Listener
	target   atomic.Pointer[string]

	mu      sync.Mutex
	cut     Cut
	delay   time.Duration
	changed chan struct{} // closed when the cut changes
	wires   map[*wire]struct{}
	closed  bool
	group   sync.WaitGroup
}

// wire is one connection through the link.
type wire struct {
	client, server *net.TCPConn
	dead           atomic.Bool // nothing passes any more, although the ends may be open
}

// NewLink listens at a free port of this machine and passes everything on to target.
func NewLink(target string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, changed: make(chan struct{}), wires: make(map[*wire]struct{})}
	l.SetTarget(target)
	l.group.Go(l.accept)
	return l, nil
}

// Addr returns where the link listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// SetTarget says where new connections go.
func (l *Link) SetTarget(target string) { l.target.Store(&target) }

// Cut makes the link fail, or whole again. The delay is for Delayed.
func (l *Link) Cut(cut Cut, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.cut
	l.cut, l.delay = cut, delay
	close(l.changed)
	l.changed = make(chan struct{})
	for w := range l.wires {
		switch {
		case cut == Refused:
			w.reset()
		case cut == LostServer:
			w.dead.Store(true)
			_ = w.server.Close()
		case cut == LostClient:
			w.dead.Store(true)
			_ = w.client.Close()
		case cut.dead():
			w.dead.Store(true)
		case before.dead() && w.dead.Load():
			w.reset() // so that nobody waits for it after peace
		}
	}
}

// Close ends the link and its connections.
func (l *Link) Close() {
	l.mu.Lock()
	l.closed, l.cut = true, Refused
	for w := range l.wires {
		w.reset()
	}
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	_ = l.listener.Close()
	l.group.Wait()
}

func (w *wire) reset() {
	for _, c := range []*net.TCPConn{w.client, w.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

func (l *Link) accept() {
	for {
		conn, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		l.group.Go(func() { l.connect(conn.(*net.TCPConn)) })
	}
}

// connect makes a wire of an accepted connection, as soon as the cut lets one come about.
func (l *Link) connect(client *net.TCPConn) {
	lost := false
	for {
		l.mu.Lock()
		cut, changed, closed := l.cut, l.changed, l.closed
		l.mu.Unlock()
		switch {
		case closed || cut == Refused || lost && cut == Whole:
			_ = client.SetLinger(0)
			_ = client.Close()
			return
		case cut != Whole && cut != Delayed:
			lost = lost || cut.dead() // what it has sent never arrives
			<-changed                 // to the client it looks as if the server were slow
			continue
		}
		break
	}
	server, err := net.DialTimeout("tcp", *l.target.Load(), 5*time.Second)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	w := &wire{client: client, server: server.(*net.TCPConn)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		w.reset()
		return
	}
	l.wires[w] = struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pass(w, w.server, w.client, false) })
	both.Go(func() { l.pass(w, w.client, w.server, true) })
	both.Wait()
	l.mu.Lock()
	delete(l.wires, w)
	l.mu.Unlock()
	w.reset()
}

// pass copies one direction of a wire.
func (l *Link) pass(w *wire, to, from *net.TCPConn, answers bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && l.await(w, answers) {
			if _, err := to.Write(b[:n]); err != nil && !w.dead.Load() {
				w.reset()
				return
			}
		}
		if err == nil {
			continue
		}
		if w.dead.Load() { // an end that was cut off is not told of the other
			l.awaitPeace()
			w.reset()
			return
		}
		if errors.Is(err, io.EOF) {
			_ = to.CloseWrite()
			return
		}
		w.reset()
		return
	}
}

// await waits as long as the cut says, and reports whether what was read is to be passed on.
func (l *Link) await(w *wire, answers bool) bool {
	for {
		l.mu.Lock()
		cut, delay, changed := l.cut, l.delay, l.changed
		l.mu.Unlock()
		switch {
		case cut == Deaf && !answers:
			return true // also on a wire that is dead: what is sent arrives
		case w.dead.Load():
			return false
		case cut == Held:
			<-changed
			continue
		case cut == Delayed:
			<-time.After(delay)
		}
		return !cut.dead() || cut == Deaf && !answers
	}
}

// awaitPeace waits until the link is whole.
func (l *Link) awaitPeace() {
	for {
		l.mu.Lock()
		cut, changed, closed := l.cut, l.changed, l.closed
		l.mu.Unlock()
		if closed || !cut.dead() {
			return
		}
		<-changed
	}
}
