package owlat

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
// [ErrNoRoute]) and the end of ctx do: what was not sent by then gets that error. Inputs with the same address are sent one
// after the other in their order, so that the last one counts.
func (s *Contacts) UpsertBatch(ctx context.Context, in []CreateContactRequest, opts ...BatchOption) []BatchResult[CreateContactRequest, UpsertResult] {
	key := func(c CreateContactRequest) string { return "email " + strings.ToLower(c.Email) }
	return runBatch(ctx, s.core, in, opts, key, func(ctx context.Context, c *Client, in CreateContactRequest) (*UpsertResult, error) {
		return c.Contacts.Upsert(ctx, in)
	})
}

// AddBatch puts any number of contacts on a topic and returns one result per input, as [Contacts.UpsertBatch] does. Mind
// what [Topics.Add] says of consent.
func (s *Topics) AddBatch(ctx context.Context, topicID string, in []AddMemberRequest, opts ...BatchOption) []BatchResult[AddMemberRequest, Membership] {
	key := func(m AddMemberRequest) string {
		if m.ContactID != "" {
			return "id " + m.ContactID
		}
		return "email " + strings.ToLower(m.Email)
	}
	return runBatch(ctx, s.core, in, opts, key, func(ctx context.Context, c *Client, m AddMemberRequest) (*Membership, error) {
		return c.Topics.Add(ctx, topicID, m)
	})
}

// runBatch sends every input and returns when all are done. Inputs with one key are sent in their order.
func runBatch[In, Out any](ctx context.Context, c *core, in []In, opts []BatchOption, key func(In) string,
	send func(context.Context, *Client, In) (*Out, error),
) []BatchResult[In, Out] {
	results := make([]BatchResult[In, Out], len(in))
	for i := range in {
		results[i].Input = in[i]
	}
	var cfg batchConfig
	for _, opt := range opts {
		err := errors.New("a batch option is nil")
		if opt != nil {
			err = opt(&cfg)
		}
		if err != nil {
			err = fmt.Errorf("owlat: %w", err)
			for i := range results {
				results[i].Err = err
			}
			return results
		}
	}
	patient := *c
	patient.patient = true
	pool := patient.newPool(cfg.most)
	for _, group := range groupByKey(in, key) {
		pool.Go(ctx, func(ctx context.Context, client *Client) {
			for _, i := range group {
				if err := pool.over(ctx); err != nil {
					results[i].Err = fmt.Errorf("not sent: %w", err)
					continue
				}
				value, err := send(ctx, client, in[i])
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
