// Package decided finds out who decided about the plan of a held run, and when.
//
// The idea to know: the record of a run does not say it, the audit does. Its lines come in the order of time, so that a line of long ago is found without reading those since.
package decided

import (
	"context"
	"sort"
	"time"

	"owlatsync/ledger"
)

// Decision is who decided about a plan, for whoever looks.
type Decision struct {
	Deed string    // what they did with it
	Who  string    // empty: it is not for the viewer, or not known any more
	How  string    // empty: on the page
	At   time.Time // zero: it is not known any more
}

// Asked says which decision is asked for: what was done with a run between two times. Named says that the viewer may see who did it.
type Asked struct {
	Deed     ledger.Deed
	Run      int64
	From, To time.Time
	Named    bool
}

// Word says what was done with a plan.
func Word(deed ledger.Deed) string {
	return map[ledger.Deed]string{ledger.DeedApprove: "approved", ledger.DeedDismiss: "dismissed"}[deed]
}

// Of returns a decision, as far as the audit has it.
func Of(ctx context.Context, audit Audit, asked Asked) (*Decision, error) {
	v := &Decision{Deed: Word(asked.Deed)}
	line, err := By(ctx, audit, asked.Deed, asked.Run, asked.From, asked.To)
	if err != nil || line == nil {
		return v, err
	}
	v.At, v.How = line.At, map[ledger.Way]string{ledger.ByCommand: "at the command line", ledger.ByAPI: "through the API"}[line.Way]
	switch {
	case !asked.Named:
	case line.Who == ledger.WhoMachine:
		v.Who = "somebody on this machine"
	default:
		v.Who = line.Who
	}
	return v, nil
}

// Audit is the part of an audit that is read. See ledger.Audit.
type Audit interface {
	AuditLines(ctx context.Context, before int64, limit int) ([]ledger.AuditLine, error)
}

// How many lines are read at once and looked at, and how far the clocks of those who write a ledger may be apart.
const (
	readAtOnce = 100
	mostRead   = 1000
	apart      = time.Minute
)

// By returns the latest line of the audit that says that the deed was done with a run between two times, nil if none is found.
func By(ctx context.Context, audit Audit, deed ledger.Deed, run int64, from, to time.Time) (*ledger.AuditLine, error) {
	before, err := start(ctx, audit, to.Add(apart))
	if err != nil {
		return nil, err
	}
	for read := 0; read < mostRead; read += readAtOnce {
		lines, err := audit.AuditLines(ctx, before, readAtOnce)
		if err != nil {
			return nil, err
		}
		for i, l := range lines {
			switch {
			case l.At.Before(from.Add(-apart)):
				return nil, nil
			case l.What == deed && l.Run == run && !l.At.After(to.Add(apart)):
				return &lines[i], nil
			}
			before = l.Number
		}
		if len(lines) < readAtOnce {
			break
		}
	}
	return nil, nil
}

// start returns a number of a line, below which few lines are later than the time; 0: none of all is.
func start(ctx context.Context, audit Audit, to time.Time) (before int64, err error) {
	later := func(before int64) bool { // whether the latest line below is
		if err != nil {
			return true
		}
		var lines []ledger.AuditLine
		lines, err = audit.AuditLines(ctx, before, 1)
		return len(lines) > 0 && lines[0].At.After(to)
	}
	newest, err := audit.AuditLines(ctx, 0, 1)
	if err != nil || len(newest) == 0 || !newest[0].At.After(to) {
		return 0, err
	}
	return int64(sort.Search(int(newest[0].Number), func(n int) bool { return later(int64(n) + 1) })) + 1, err
}
