package reconcile

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/handout"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/step"
)

// Person is somebody who is exported for Owlat's importer.
type Person = handout.Person

// ExportOptions are the options of an export.
type ExportOptions struct {
	// Began names the export: whoever goes on with one that broke off gives the same time, and gets those whom the ledger has as exported then, too. It
	// has no more than microseconds. Zero: nothing is recorded and no lock is taken, so that the export only counts.
	Began time.Time
	// Write takes a person; false leaves them to runs.
	Write func(Person) (bool, error)
	// Written is called when all were handed to Write, and must make them durable where nobody uses them yet: what follows is that the ledger has them
	// as exported.
	Written func() error
	// Observers are told how far the export is.
	Observers []progress.Observer
}

// Exported says whom an export has handed out.
type Exported struct {
	Summary  owlatsync.Summary // of a run that would create them all
	Requests int
	People   int
	Held     int // rows that were exported before, and whose contacts Owlat does not have
	Left     int // people who are left to runs, although they are new
}

// Export hands out the people whom Owlat does not have and whom a run would create: valid rows, one for each person, in the order of the source. It
// lists all contacts first. The ledger then has their consents as spent, and later runs look for their contacts. Nobody is handed out whom the ledger
// has met before in any way.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, *SourceError, *StoppedError, the context's cause, and those of Write, Written and the ledger.
func (e *Engine) Export(ctx context.Context, s Sync, o ExportOptions) (done Exported, err error) {
	if s.Match {
		return done, fmt.Errorf("sync %q only sends events, and creates nobody: it has nobody to export", s.Name)
	}
	s.Events = nil // the importer fires none
	if err := s.validate(); err != nil {
		return done, err
	}
	x := &exporting{options: o}
	settled, client := newOverlay(e.ledger), e.outside
	reader := ledger.Reader(settled)
	if x.record = settled.put; !o.Began.IsZero() {
		reader, client = e.ledger, e.client
	}
	if x.work, err = e.begin(&s, reader, client); err != nil {
		return done, err
	}
	x.policies.Properties = true
	if o.Began.IsZero() {
		if err := e.belongs(ctx); err != nil {
			return done, err
		}
	} else {
		x.claim = ledger.Claim{Purpose: fmt.Sprintf("export of sync %q", s.Name), Deployment: e.client.BaseURL()}
		if x.lock, err = e.locks.acquire(ctx, x.claim); err != nil {
			return done, err
		}
		defer func() { err = also(err, x.lock.Release()) }()
		ctx = x.lock.Context()
		x.record = func(r ledger.Record) error { return x.lock.Record(ctx, r) }
	}
	x.tell = progress.NewTeller(progress.About{Sync: s.Name}, o.Observers, x.counter.Counts, e.client.Estimate)
	err = x.export(ctx, &done)
	done.Requests = x.counter.Counts().Total
	ended, message := status(ctx, err, x.tell.Report())
	x.tell.Ended(ended, message, x.tell.Report())
	return done, err
}

// imports says what a plan is to do about rows that were exported for Owlat's importer.
type imports struct {
	exporting time.Time // the plan is for the export that began then; zero: it is for a run
	makes     bool      // their contacts are created where there are none
}

// exporting is the state of one export.
type exporting struct {
	*work
	options ExportOptions
	record  func(ledger.Record) error
	chosen  map[uint64]struct{} // hashes of the keys of people who were written; nil: nothing is recorded
}

func (x *exporting) export(ctx context.Context, done *Exported) (err error) {
	began := x.options.Began
	if began.IsZero() {
		began = x.engine.ledger.Now()
	} else {
		x.chosen = make(map[uint64]struct{})
	}
	x.imports.exporting = began
	read := x.sync.asked(x.engine.ledger)
	read.Full = true
	if x.reading, err = read.Reading(ctx); err != nil {
		return err
	}
	p, err := planning{x.work}.plan(ctx, owlatsync.Part{}, func(d Decision) error {
		if d.Outcome == owlatsync.Failed && d.Reason == step.ReasonNotImported {
			done.Held++
		}
		return nil
	}, x.record)
	defer func() { err = also(err, p.Close()) }()
	done.Summary = p.Summary
	if err != nil {
		return err
	}
	if err := x.write(ctx, p, done); err != nil {
		return err
	}
	if x.options.Written != nil {
		if err := x.options.Written(); err != nil {
			return err
		}
	}
	if x.chosen == nil {
		return nil
	}
	return x.spend(ctx, p, began)
}

// write hands the people out.
func (x *exporting) write(ctx context.Context, p *plan.Plan, done *Exported) error {
	return inBatches(p.Steps(step.Create), func(batch []*step.Step) error {
		addresses := make([]string, len(batch))
		for i, s := range batch {
			addresses[i] = s.Row.Email
		}
		known, err := handout.Known(ctx, x.reader, x.sync.Name, x.imports.exporting, addresses)
		if err != nil {
			return readLedger(err)
		}
		for _, s := range batch {
			person, ok := handout.Of(s, known[s.Row.Email])
			if ok {
				if ok, err = x.options.Write(person); err != nil {
					return err
				}
			}
			if !ok {
				done.Left++
				continue
			}
			done.People++
			if x.chosen != nil {
				x.chosen[ledger.HashText(s.Row.Key)] = struct{}{}
			}
		}
		return nil
	})
}

// spend records that the people were handed out.
func (x *exporting) spend(ctx context.Context, p *plan.Plan, began time.Time) error {
	at := began
	if earliest, _, known := x.there(began); known {
		at = earliest
	}
	return inBatches(p.Steps(step.Create), func(batch []*step.Step) error {
		var records []ledger.Record
		for _, s := range batch {
			if _, chosen := x.chosen[ledger.HashText(s.Row.Key)]; chosen {
				entry := handout.Entry(s, began, at)
				entry.ChangedAt = x.reader.Now()
				records = append(records, ledger.Record{Sync: x.sync.Name, Entry: entry, Event: "exported"})
			}
		}
		if err := x.lock.Record(ctx, records...); err != nil {
			return fmt.Errorf("record who was exported: %w", err)
		}
		return nil
	})
}
