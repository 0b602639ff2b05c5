package reconcile

import (
	"context"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/reading"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/scratch"
)

// Unsendable reads all rows of the source and tells each that a run would not send: the invalid ones, and the duplicates with the row
// that counts instead. It asks Owlat nothing and writes nothing; it needs no lock and may go on beside a run. What Owlat alone knows,
// such as a doubt that the next run settles, does not count.
//
// Errors: *SourceError, the context's cause, the error of each, or the ledger's.
func Unsendable(ctx context.Context, l ledger.Reader, s Sync, folder string, each func(Decision) error) error {
	if err := s.validate(); err != nil {
		return err
	}
	place := &scratch.Place{Folder: folder, Most: scratchMemory}
	tell := progress.NewTeller(progress.About{Sync: s.Name}, nil, func() (none owlatsync.RequestCounts) { return none }, func(int) time.Duration { return 0 })
	policies := s.Policies()
	planner := plan.New(plan.Needs{
		Policies: policies, Ledger: l, Contacts: nobody{}, Place: place, Tell: tell, Notes: new(reading.Again), Adopted: true, Partial: true,
		Each: func(d Decision) error {
			if d.Outcome != owlatsync.Invalid && d.Outcome != owlatsync.Duplicate {
				return nil
			}
			return each(d)
		},
	})
	scanned, err := scan.Full(ctx, scan.Needs{
		Policies: policies, Ledger: l, Place: place, Tell: tell, End: planner.End, Spoilt: func(string) {}, Rows: s.Source.Rows(ctx),
	})
	p, err := planner.Make(ctx, scanned, err)
	return also(err, p.Close())
}

// nobody stands for an Owlat that is not asked.
type nobody struct{}

func (nobody) Adopt(context.Context, ask.Rows, func(contacts, total int)) (*ask.Listed, owlatsync.Adoption, error) {
	return nil, owlatsync.Adoption{Mode: owlatsync.AdoptNothing}, nil
}

func (nobody) Look(context.Context, map[string]struct{}, int, func(contacts, total int)) (*ask.Seen, owlatsync.Looking, error) {
	return nil, owlatsync.Looking{}, nil
}

func (nobody) Living(context.Context, []string) (map[string]bool, map[string]string, error) {
	return nil, nil, nil
}

func (nobody) Named(context.Context, []string) ([]owlat.Contact, error) { return nil, nil }
