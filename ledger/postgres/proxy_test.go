package postgres

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a ledger and its server.
type proxy struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	mode  mode
	wg    sync.WaitGroup
}

type mode int

const (
	passes  mode = iota
	drops        // takes everything and passes nothing on
	mutes        // passes on what is sent to the server, and nothing of what it answers
	refuses      // breaks every connection off
)

// newProxy starts a proxy before the server of a DSN and returns the DSN through it.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: u.Host, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.set(refuses)
		p.wg.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.keep(client, server) {
			client.Close()
			if server != nil {
				server.Close()
			}
			continue
		}
		p.wg.Go(func() { p.pump(server, client, false) })
		p.wg.Go(func() { p.pump(client, server, true) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == refuses {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *proxy) pump(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		m := p.mode
		p.mu.Unlock()
		if m == drops || m == mutes && answers {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// set changes what the proxy does. What refuses breaks off what there is.
func (p *proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	if m == refuses {
		p.breakOff()
	}
}

// cut breaks off all connections once.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breakOff()
}

func (p *proxy) breakOff() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}
