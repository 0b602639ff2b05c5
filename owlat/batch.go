package owlat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// BatchOptions set how a batch is sent.
type BatchOptions struct {
	// Concurrency is how many inputs are in flight at once; 0 means 8. The limiter sets the pace, so that more only helps
	// where an answer takes longer than 800 ms.
	Concurrency int
}

// BatchResult is what became of one input: Err is nil and Value the answer, or Err says why not.
type BatchResult[T any] struct {
	Value T
	Err   error
}

const (
	defaultConcurrency = 8
	// A 429 never has an effect and a batch has time, so it outlasts others that use the same key.
	batchPatience = 20
)

// SyncBatch upserts any number of contacts and returns one result per input, in the order of the inputs. A failure stops
// no other; one that every further request would meet ([ErrUnauthenticated], [ErrLimitReached], [ErrForbidden],
// [ErrNoRoute]) and the end of ctx do: what was not sent by then gets that error. Inputs with the same address are sent one
// after the other in their order, so that the last one counts.
func (s *Contacts) SyncBatch(ctx context.Context, in []ContactCreate, opts BatchOptions) []BatchResult[UpsertResult] {
	patient := &Contacts{s.core.patient()}
	key := func(c ContactCreate) string { return "email " + strings.ToLower(c.Email) }
	return runBatch(ctx, in, opts, key, patient.Upsert)
}

// AddBatch puts any number of contacts on a topic and returns one result per input, as [Contacts.SyncBatch] does. Mind
// what [Topics.Add] says of consent.
func (s *Topics) AddBatch(ctx context.Context, topicID string, in []Member, opts BatchOptions) []BatchResult[Membership] {
	patient := &Topics{s.core.patient()}
	key := func(m Member) string {
		if m.ContactID != "" {
			return "id " + m.ContactID
		}
		return "email " + strings.ToLower(m.Email)
	}
	return runBatch(ctx, in, opts, key, func(ctx context.Context, m Member) (*Membership, error) {
		return patient.Add(ctx, topicID, m)
	})
}

// patient returns a core that differs only in how often it repeats after a 429.
func (c *core) patient() *core {
	p := *c
	p.patience = max(p.patience, batchPatience)
	return &p
}

// runBatch sends every input and returns when all are done. Inputs with one key are sent in their order.
func runBatch[In, Out any](ctx context.Context, in []In, opts BatchOptions, key func(In) string,
	send func(context.Context, In) (*Out, error),
) []BatchResult[Out] {
	results := make([]BatchResult[Out], len(in))
	next := make(chan []int)
	stop := &stopper{}
	var workers sync.WaitGroup
	groups := groupByKey(in, key)
	concurrency := opts.Concurrency
	if concurrency <= 0 {
		concurrency = defaultConcurrency
	}
	for range min(concurrency, len(groups)) {
		workers.Go(func() {
			for group := range next {
				for _, i := range group {
					if err := stop.reason(ctx); err != nil {
						results[i].Err = fmt.Errorf("not sent: %w", err)
						continue
					}
					value, err := send(ctx, in[i])
					if err != nil {
						results[i].Err = err
						stop.consider(err)
						continue
					}
					results[i].Value = *value
				}
			}
		})
	}
	for _, group := range groups {
		next <- group
	}
	close(next)
	workers.Wait()
	return results
}

func groupByKey[In any](in []In, key func(In) string) [][]int {
	groups := make([][]int, 0, len(in))
	at := make(map[string]int, len(in))
	for i := range in {
		k := key(in[i])
		g, known := at[k]
		if !known {
			g = len(groups)
			at[k] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// stopper remembers the first error that every further request would meet too.
type stopper struct {
	mu  sync.Mutex
	err error
}

func (s *stopper) consider(err error) {
	for _, final := range []error{ErrUnauthenticated, ErrLimitReached, ErrForbidden, ErrNoRoute} {
		if errors.Is(err, final) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.err == nil {
				s.err = err
			}
			return
		}
	}
}

func (s *stopper) reason(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
