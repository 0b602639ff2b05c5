package scale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/reconcile"
)

// seeders is how many deployments are seeded at once.
const seeders = 4

// seeder fills the ledger.
type seeder struct{ *world }

// seed makes ledgers that are in step with the sources, as if each sync had just run.
func (w seeder) seed(ctx context.Context) error {
	db, err := postgres.Open(ctx, postgres.Options{DSN: w.ledger + "&schema=" + schema})
	if err != nil {
		return err
	}
	defer db.Close()
	began := time.Now()
	next := make(chan string)
	errs := make([]error, seeders)
	var group sync.WaitGroup
	for i := range seeders {
		group.Go(func() {
			for d := range next {
				if errs[i] == nil {
					errs[i] = w.seedOne(ctx, db, d)
				}
			}
		})
	}
	for n, d := range w.deployments() {
		next <- d
		if n > 0 && n%20 == 0 {
			fmt.Fprintf(w.log, "%d deployments are seeded after %.0f s\n", n, time.Since(began).Seconds())
		}
	}
	close(next)
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("seed the ledger: %w", err)
	}
	for _, statement := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := w.book.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (w seeder) seedOne(ctx context.Context, db *postgres.Database, deployment string) (err error) {
	l, err := db.Ledger(ctx, deployment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	now := time.Now()
	err = l.Load(ctx, "", func(into ledger.Loader) error {
		for _, s := range w.syncs(deployment) {
			sync := reconcile.Sync{Name: s}
			for n := 1; n <= w.contactsOf(deployment); n++ {
				p := person(s, n)
				print, err := sync.Fingerprint(&p)
				if err != nil {
					return err
				}
				err = into.AddEntry(ledger.Holder{Sync: s, Entry: &ledger.Entry{
					Key: p.Key, ContactID: fmt.Sprintf("k57%029d", n), Email: p.Email.Value, Identity: p.Email.Value,
					Fields: owlatsync.Texts{owlatsync.FirstName: "First", owlatsync.LastName: p.Fields[owlatsync.LastName].Value},
					Origin: ledger.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
				}})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	k, err := l.Acquire(ctx, ledger.Claim{Purpose: "bench"})
	if err != nil {
		return err
	}
	for _, s := range w.syncs(deployment) {
		run := ledger.Run{Sync: s, Mode: ledger.ModeRun, Started: now, Finished: now, Status: ledger.StatusOK}
		if run.ID, err = k.BeginRun(ctx, run); err == nil {
			err = k.EndRun(ctx, ledger.Ending{Run: run, Adopted: true})
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, k.Release())
}

// person is row n of a sync's source.
func person(sync string, n int) owlatsync.Row {
	return owlatsync.Row{
		Key: fmt.Sprint(n), Email: owlatsync.Some(fmt.Sprintf("u%d@%s.example.com", n, sync)),
		Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("First"), owlatsync.LastName: owlatsync.Some(fmt.Sprint("Last", n))},
	}
}
