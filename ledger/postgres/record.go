package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/ledger/postgres/internal/change"
	"owlatsync/ledger/postgres/internal/server"
)

// put makes steps durable in their order, all or none. The caller has the turn.
func (k *recorder) put(ctx context.Context, steps []*change.Step) error {
	syncs, topics, err := k.intern(ctx, steps)
	if err != nil {
		return err
	}
	return k.fenced(ctx, server.Durable, func(number int64) error {
		err := k.putOnce(ctx, number, change.Fold(steps, syncs), topics)
		if err != nil {
			k.rows.Forget()
		}
		return err
	})
}

// intern returns the numbers of the syncs and topics that the steps name, and makes what is new.
func (k *recorder) intern(ctx context.Context, steps []*change.Step) (syncs, topics map[string]int64, err error) {
	syncs, topics = make(map[string]int64), make(map[string]int64)
	missing := false
	for _, s := range steps {
		if _, done := syncs[s.Sync]; !done {
			syncs[s.Sync] = k.syncs.of(s.Sync)
			missing = missing || syncs[s.Sync] == 0
		}
		for i := range s.Memberships {
			topic := s.Memberships[i].Topic
			if _, done := topics[topic]; !done {
				topics[topic], _ = k.topics.Of(topic)
				missing = missing || topics[topic] == 0
			}
		}
	}
	if !missing {
		return syncs, topics, nil
	}
	err = k.fenced(ctx, server.Durable, func(number int64) error {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		return k.within(ctx, server.Durable, number, func(t *tx) (err error) {
			for name := range syncs {
				if syncs[name], err = t.syncID(name); err != nil {
					return err
				}
			}
			for topic := range topics {
				if topics[topic], err = t.topicID(topic); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	for name, id := range syncs {
		k.syncs.keep(name, id)
	}
	for topic, id := range topics {
		k.topics.Keep(topic, id)
	}
	return syncs, topics, nil
}

// answerTimeout is how long the server may take for a transaction of Record.
const answerTimeout = 8 * time.Second

// putOnce makes a change with one statement, so that nobody who freezes keeps its transaction open.
func (k *recorder) putOnce(ctx context.Context, number int64, c *change.Change, topics map[string]int64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	args, err := k.rows.Args(c, topics)
	if err != nil {
		return err
	}
	conn, err := k.db.Pool.Acquire(ctx)
	if err != nil {
		return err // nothing was sent
	}
	defer conn.Release()
	var numbers []pgtype.Int8
	args = append([]any{k.Deployment, k.Number, k.Holder, k.writes, number}, args...)
	if err := conn.QueryRow(ctx, k.db.SQL(change.Record), args...).Scan(&numbers); err != nil {
		if server.IsAway(err) {
			return &server.UnansweredError{Err: err}
		}
		return err
	}
	k.rows.Keep(c, numbers)
	return nil
}

// Remove implements ledger.Writer. It ignores keys without an entry.
func (k *recorder) Remove(ctx context.Context, sync string, keys []string) error {
	steps := make([]*change.Step, 0, len(keys))
	for _, key := range keys {
		if key != "" {
			steps = append(steps, change.Removal(sync, key))
		}
	}
	err := k.usable()
	if sync == "" && err == nil && len(keys) > 0 {
		err = errors.New("the sync has no name")
	}
	if err == nil && len(steps) > 0 {
		err = k.share(ctx, steps)
	}
	if err != nil {
		return fmt.Errorf("remove from ledger: %w", server.Explain(ctx, err))
	}
	return nil
}
