package ledgers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// inFlight is how many rows the engine applies at once with a client that has no limiter.
const inFlight = 128

// alone measures the ledgers without the engine.
type alone struct{ *bench }

// record makes the records of creates as the engine makes them, without the engine: before each create that it is in doubt, and after it
// what was answered.
func (b alone) record(ctx context.Context) error {
	return b.turn(recorded, "recording creates", applyTurns, func(s *store, n int) (took time.Duration, err error) {
		book, err := s.open(ctx, fmt.Sprint("record", n))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, book.Close()) }()
		k, err := book.Acquire(ctx, ledger.Claim{Purpose: "bench"})
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, k.Release()) }()
		run, err := k.BeginRun(ctx, ledger.Run{Sync: users.Name, Mode: ledger.ModeRun, Started: time.Now()})
		if err != nil {
			return 0, err
		}
		start := time.Now()
		var wg sync.WaitGroup
		failures := make([]error, inFlight)
		for w := range inFlight {
			wg.Go(func() {
				for row := w + 1; row <= applyRows && failures[w] == nil; row += inFlight {
					failures[w] = recordCreate(ctx, k, run, row)
				}
			})
		}
		wg.Wait()
		took = time.Since(start)
		if err := errors.Join(failures...); err != nil {
			return 0, err
		}
		standing, err := book.Standing(ctx, users.Name)
		if err == nil && standing.Applied != applyRows {
			err = fmt.Errorf("the ledger has %d rows applied, not %d", standing.Applied, applyRows)
		}
		return took, err
	})
}

// recordCreate makes the two records of one create.
func recordCreate(ctx context.Context, k ledger.Lock, run int64, n int) error {
	p, now := person(n), time.Now()
	print, err := users.Fingerprint(&p)
	if err != nil {
		return err
	}
	doubt := ledger.Entry{Key: p.Key, Identity: p.Email.Value, Doubt: true, Intent: ledger.Intent{Create: now}, FirstSeen: now, ChangedAt: now}
	if err := k.Record(ctx, ledger.Record{Sync: users.Name, Run: run, Entry: &doubt}); err != nil {
		return err
	}
	made := ledger.Entry{
		Key: p.Key, ContactID: fmt.Sprintf("k57%029d", n), Email: p.Email.Value, Identity: p.Email.Value,
		Fields: owlatsync.Texts{owlatsync.FirstName: p.Fields[owlatsync.FirstName].Value, owlatsync.LastName: p.Fields[owlatsync.LastName].Value},
		Origin: ledger.OriginCreated, Fingerprint: print, Witness: now, FirstSeen: now, ChangedAt: time.Now(),
	}
	return k.Record(ctx, ledger.Record{Sync: users.Name, Run: run, Entry: &made, Event: string(owlatsync.Created)})
}
