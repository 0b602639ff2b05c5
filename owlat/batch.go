package owlat

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// BatchOptions set how a batch is sent.
type BatchOptions struct {
	// Concurrency is how many inputs are worked on at once at most; 0 means as many as a [Pool] allows. Up to that their
	// number follows by itself from the pace and from how long answers take.
	Concurrency int
}

// BatchResult is what became of one input: Err is nil and Value the answer, or Err says why not.
type BatchResult[T any] struct {
	Value T
	Err   error
}

// batchPatience is how often a batch repeats after a 429, which never has an effect: it outlasts others that use the same
// key.
const batchPatience = 20

// SyncBatch upserts any number of contacts and returns one result per input, in the order of the inputs. A failure stops
// no other; one that every further request would meet ([ErrUnauthenticated], [ErrLimitReached], [ErrForbidden],
// [ErrNoRoute]) and the end of ctx do: what was not sent by then gets that error. Inputs with the same address are sent one
// after the other in their order, so that the last one counts.
func (s *Contacts) SyncBatch(ctx context.Context, in []ContactCreate, opts BatchOptions) []BatchResult[UpsertResult] {
	patient := &Contacts{s.core.patient()}
	key := func(c ContactCreate) string { return "email " + strings.ToLower(c.Email) }
	return runBatch(ctx, s.core, in, opts, key, patient.Upsert)
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
	return runBatch(ctx, s.core, in, opts, key, func(ctx context.Context, m Member) (*Membership, error) {
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
func runBatch[In, Out any](ctx context.Context, c *core, in []In, opts BatchOptions, key func(In) string,
	send func(context.Context, In) (*Out, error),
) []BatchResult[Out] {
	results := make([]BatchResult[Out], len(in))
	pool := c.newPool(opts.Concurrency)
	for _, group := range groupByKey(in, key) {
		pool.Go(ctx, func(ctx context.Context) {
			for _, i := range group {
				if err := pool.over(ctx); err != nil {
					results[i].Err = fmt.Errorf("not sent: %w", err)
					continue
				}
				value, err := send(ctx, in[i])
				if err != nil {
					results[i].Err = err
					if endsBatch(err) {
						pool.Close(err)
					}
					continue
				}
				results[i].Value = *value
			}
		})
	}
	pool.Wait()
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

// endsBatch reports whether every further request would meet the same.
func endsBatch(err error) bool {
	for _, final := range []error{ErrUnauthenticated, ErrLimitReached, ErrForbidden, ErrNoRoute} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
