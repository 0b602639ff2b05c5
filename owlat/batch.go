package owlat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"owlatsync/owlat/internal/queue"
)

// BatchOption sets one thing of a batch.
type BatchOption func(*batchConfig) error

type batchConfig struct{ most int }

// WithConcurrency sets how many inputs of a batch are worked on at once at most; 0 means as many as a [Pool] allows. Up to
// that their number follows by itself from the pace and from how long answers take.
func WithConcurrency(most int) BatchOption {
	return func(c *batchConfig) error {
		if most < 0 {
			return fmt.Errorf("the concurrency %d is negative", most)
		}
		c.most = most
		return nil
	}
}

// BatchResult is what became of one input: Err is nil and Value the answer, or Err says why not.
type BatchResult[In, Out any] struct {
	Input In
	Value Out
	Err   error
}

// batchPatience is how often a batch repeats after a 429, which never has an effect: it outlasts others that use the same
// key.
const batchPatience = 20

// UpsertBatch upserts any number of contacts and returns one result per input, in the order of the inputs. A failure stops
// no other; one that every further request would meet ([ErrUnauthenticated], [ErrLimitReached], [ErrForbidden],
// [ErrNoRoute]) and the end of ctx do: what was not sent by then gets that error. A bad option or a nil ctx is the error of
// every input. Inputs with the same address, whatever its letter case, are sent one after the other in their order, so that
// the last one counts; all others go side by side.
//
// A panic of the client's transport, observer or logger ends the batch: UpsertBatch raises it again when nothing is in
// flight any more.
func (s *Contacts) UpsertBatch(ctx context.Context, in []CreateContactRequest, opts ...BatchOption) []BatchResult[CreateContactRequest, UpsertResult] {
	key := func(c CreateContactRequest) string { return "email " + strings.ToLower(c.Email) }
	return runBatch(ctx, s.core, in, opts, routeContacts, key, func(ctx context.Context, c *Client, in CreateContactRequest) (*UpsertResult, error) {
		return c.Contacts.Upsert(ctx, in)
	})
}

// AddBatch puts any number of contacts on a topic and returns one result per input, as [Contacts.UpsertBatch] does. Inputs
// that name the same contact in the same way, by ContactID or, where that is empty, by Email, are sent one after the other
// in their order; two that name it differently go side by side. Mind what [Topics.Add] says of consent.
func (s *Topics) AddBatch(ctx context.Context, topicID string, in []AddMemberRequest, opts ...BatchOption) []BatchResult[AddMemberRequest, Membership] {
	key := func(m AddMemberRequest) string {
		if !blank(m.ContactID) {
			return "id " + m.ContactID
		}
		return "email " + strings.ToLower(m.Email)
	}
	return runBatch(ctx, s.core, in, opts, routeMembers, key, func(ctx context.Context, c *Client, m AddMemberRequest) (*Membership, error) {
		return c.Topics.Add(ctx, topicID, m)
	})
}

// errBroken is why inputs have no answer whose work was ended from inside, by a panic or runtime.Goexit.
var errBroken = errors.New("the work of the batch was ended by code that it called")

// batch is a batch on its way.
type batch[In, Out any] struct {
	results []BatchResult[In, Out]
	pool    *Pool
	route   string
	send    func(context.Context, *Client, In) (*Out, error)

	once     sync.Once
	panicked any
}

// runBatch sends every input, a POST to the route at first, and returns when all are done. Inputs with one key are sent in
// their order.
func runBatch[In, Out any](ctx context.Context, c *core, in []In, opts []BatchOption, route string, key func(In) string,
	send func(context.Context, *Client, In) (*Out, error),
) []BatchResult[In, Out] {
	b := batch[In, Out]{results: make([]BatchResult[In, Out], len(in)), route: route, send: send}
	cfg, err := newBatchConfig(ctx, opts)
	for i := range in {
		b.results[i] = BatchResult[In, Out]{Input: in[i], Err: err}
	}
	if err != nil {
		return b.results
	}
	patient := *c
	patient.patient = true
	b.pool = patient.newPool(cfg.most)
	for _, group := range queue.Groups(in, key) {
		b.pool.Go(ctx, func(ctx context.Context, client *Client) { b.work(ctx, client, group) })
	}
	b.pool.Wait()
	if b.panicked != nil {
		panic(b.panicked)
	}
	return b.results
}

func newBatchConfig(ctx context.Context, opts []BatchOption) (batchConfig, error) {
	var cfg batchConfig
	if ctx == nil {
		return cfg, errors.New("owlat: the context of the batch is nil")
	}
	for i, opt := range opts {
		if opt == nil {
			return cfg, fmt.Errorf("owlat: option %d of the batch is nil; leave out what is not to be set", i+1)
		}
		if err := opt(&cfg); err != nil {
			return cfg, fmt.Errorf("owlat: %w", err)
		}
	}
	return cfg, nil
}

// work sends the inputs of one group, one after the other.
func (b *batch[In, Out]) work(ctx context.Context, client *Client, group []int) {
	done := 0
	defer func() {
		if v := recover(); v != nil { // raised again where the batch was called: on this goroutine nobody could catch it
			b.once.Do(func() { b.panicked = v })
		}
		if done == len(group) {
			return
		}
		b.pool.Close(errBroken)
		b.results[group[done]].Err = &TransportError{Method: http.MethodPost, Route: b.route, Sent: true, Err: errBroken}
		for _, i := range group[done+1:] {
			b.results[i].Err = fmt.Errorf("not sent: %w", b.pool.work.Cause())
		}
	}()
	for ; done < len(group); done++ {
		b.one(ctx, client, &b.results[group[done]])
	}
}

func (b *batch[In, Out]) one(ctx context.Context, client *Client, r *BatchResult[In, Out]) {
	if err := b.pool.work.Over(ctx); err != nil {
		r.Err = fmt.Errorf("not sent: %w", err)
		return
	}
	value, err := b.send(ctx, client, r.Input)
	if err == nil {
		r.Value = *value
		return
	}
	r.Err = err
	if endsBatch(err) {
		b.pool.Close(err)
	}
}

// endsBatch reports whether every further request would meet the same.
func endsBatch(err error) bool {
	for _, final := range []error{ErrUnauthenticated, ErrLimitReached, ErrForbidden, ErrNoRoute} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
