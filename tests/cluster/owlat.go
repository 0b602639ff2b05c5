package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"owlatsync/owlat/owlattest"
)

// HookSecret signs the webhooks of all deployments.
const HookSecret = "whsec_0123456789abcdef"

// Owlat is one deployment of Owlat, and what was sent to it by whom.
type Owlat struct {
	*owlattest.Server
	Key          string
	News, Offers string // ids of topics

	hooks http.RoundTripper

	mu       sync.Mutex
	requests []Request
	acked    map[string]time.Time // when a webhook was first acknowledged, by its body
	lastAck  time.Time
}

// NewOwlat returns a deployment whose key may send rate requests a second, and half as many more at once.
func NewOwlat(rate int, hooks http.RoundTripper) *Owlat {
	o := &Owlat{hooks: hooks, acked: make(map[string]time.Time)}
	o.Server = &owlattest.Server{Rate: float64(rate), Burst: rate * 3 / 2, WebhookClient: &http.Client{Transport: o}}
	o.Key, o.News, o.Offers = o.AddKey(), o.AddTopic("news", false), o.AddTopic("offers", false)
	return o
}

// RoundTrip brings a webhook to a node, and writes down when it was acknowledged.
func (o *Owlat) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	res, err := o.hooks.RoundTrip(r)
	if err == nil && res.StatusCode/100 == 2 {
		o.mu.Lock()
		defer o.mu.Unlock()
		if _, before := o.acked[string(body)]; !before {
			o.lastAck = time.Now()
			o.acked[string(body)] = o.lastAck
		}
	}
	return res, err
}

// webhooks returns all that were sent.
func (o *Owlat) webhooks() (all []Hook) {
	seen := make(map[string]bool)
	for _, d := range o.Deliveries() {
		if !seen[d.Body] {
			seen[d.Body] = true
			o.mu.Lock()
			all = append(all, Hook{d.Body, o.acked[d.Body]})
			o.mu.Unlock()
		}
	}
	return all
}

// Host returns the name under which nodes know the deployment; it exists only behind a door.
func Host(deployment string) string {
	return orOnly(deployment) + ".owlat.example"
}

// serve answers a request that a node sent, and writes it down.
func (o *Owlat) serve(w http.ResponseWriter, r *http.Request, node int) {
	q := Request{Node: node, At: time.Now(), Method: r.Method, Path: r.URL.Path}
	if strings.HasSuffix(q.Path, "/events") && r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the node was cut off before the request was whole
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		q.Event = eventOf(body)
	}
	answer := &noting{ResponseWriter: w}
	defer func() {
		q.Status, q.Ended = answer.status, time.Now()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.requests = append(o.requests, q)
	}()
	o.Server.ServeHTTP(answer, r)
}

// eventOf returns what tells an event from all others: whose it is, its name, and the mark of the row that it is about.
func eventOf(body []byte) string {
	var e struct {
		Email, EventName string
		EventProperties  struct{ Mark any }
	}
	if json.Unmarshal(body, &e) != nil {
		return string(body)
	}
	mark, _ := json.Marshal(e.EventProperties.Mark)
	return e.EventName + " " + string(mark) // not the address: a renamed person is the same
}

type noting struct {
	http.ResponseWriter
	status int
}

func (n *noting) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

func (n *noting) Write(b []byte) (int, error) {
	if n.status == 0 {
		n.status = http.StatusOK
	}
	return n.ResponseWriter.Write(b)
}

func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// Door is the way of one node to all deployments: an HTTP proxy, so that all nodes know a deployment by the same address.
type Door struct {
	server   *http.Server
	listener net.Listener
	over     chan struct{}
}

// NewDoor opens a door for the node with the number.
func NewDoor(node int, deployments map[string]*Owlat) (*Door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	hosts := make(map[string]*Owlat, len(deployments))
	for name, o := range deployments {
		hosts[Host(name)] = o
	}
	d := &Door{listener: listener, over: make(chan struct{})}
	d.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := hosts[r.Host]; o != nil {
			o.serve(w, r, node)
			return
		}
		http.Error(w, "there is no such host", http.StatusBadGateway)
	})}
	go func() {
		defer close(d.over)
		_ = d.server.Serve(listener)
	}()
	return d, nil
}

// Addr returns where the door listens.
func (d *Door) Addr() string { return d.listener.Addr().String() }

// Close closes the door.
func (d *Door) Close() {
	_ = d.server.Close()
	<-d.over
}

// Balancer brings webhooks to any node that answers, as a load balancer does: another one is tried after a failure.
type Balancer struct {
	mu    sync.Mutex
	nodes []string // where they listen
	next  int
	base  *http.Transport
}

const (
	// balanceWithin is how long the balancer waits for the answer of one node, and balanceFor how long it tries them all.
	balanceWithin = 2500 * time.Millisecond
	balanceFor    = 20 * time.Second
)

// NewBalancer returns a balancer without nodes.
func NewBalancer() *Balancer {
	return &Balancer{base: &http.Transport{DisableKeepAlives: true}}
}

// Add adds a node.
func (b *Balancer) Add(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, addr)
}

// RoundTrip implements http.RoundTripper: the host of the request is that of a node.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for began := time.Now(); ; {
		b.mu.Lock()
		b.next++
		node := b.nodes[b.next%len(b.nodes)]
		b.mu.Unlock()
		res, err := b.try(r, body, node)
		if err == nil && res.StatusCode/100 == 2 || time.Since(began) > balanceFor || !pause(r.Context(), 50*time.Millisecond) {
			return res, err
		}
	}
}

func (b *Balancer) try(r *http.Request, body []byte, node string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), balanceWithin)
	q := r.Clone(ctx)
	q.URL.Scheme, q.URL.Host, q.Host = "http", node, ""
	q.Body = io.NopCloser(bytes.NewReader(body))
	res, err := b.base.RoundTrip(q)
	if err != nil {
		cancel()
		return nil, err
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	cancel()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res, nil
}
