package page

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// errEnough ends reading a source.
var errEnough = errors.New("enough rows were read")

func readUnsendable(c *call, sync config.Sync) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), readsWithin)
	defer cancel()
	v := unsendablePage{Sync: sync.Name, SyncAddress: syncAddress(c, sync.Name)}
	g := troublesOf(c, sync.Name)
	err := c.d.Inquiry.Read(ctx, sync, nil, func(t reconcile.Trouble) error {
		if v.Count == unsendableMost {
			v.Cut = true
			return errEnough
		}
		v.Count++
		g.Add(t)
		return nil
	})
	switch {
	case err == nil, errors.Is(err, errEnough):
	case c.r.Context().Err() != nil:
		return c.r.Context().Err()
	case ctx.Err() != nil:
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the source could not be read in time", Hint: "\"" + c.typed().Command("failures --kind invalid,duplicate", "") + "\" takes its time"}
	default:
		c.log.Warn("a source could not be read for the page", "deployment", c.d.Name, "sync", sync.Name, "error", err)
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the source could not be read", Hint: "the log of the service says why; \"owlat-sync check\" tests the source"}
	}
	v.Groups = g.Groups()
	v.Groups = v.Groups[:min(len(v.Groups), listedGroups)]
	rows := listedInAll
	for i := range v.Groups {
		rows -= v.Groups[i].Shorten(rows)
	}
	c.show(http.StatusOK, "unsendable", "Rows that cannot be sent", v)
	return nil
}

// unsendableOf returns what the latest runs of a sync could not send: how many rows, and which, as far as that is known without reading the source.
func unsendableOf(c *call, sync string) (v unsentView, err error) {
	latest, err := latestWhole(c, sync)
	if err != nil {
		return v, err
	}
	if latest.Report != nil {
		v.Invalid, v.Duplicate = latest.Report.Outcomes[owlatsync.Invalid], latest.Report.Outcomes[owlatsync.Duplicate]
	}
	if found, ok := c.d.Inquiry.Unsent(sync); ok {
		g := troublesOf(c, sync)
		g.Bare = true
		for _, row := range found.Rows {
			g.Add(row.Trouble)
		}
		v.Run, v.At, v.Groups, v.Cut = found.Run, found.At, g.Groups(), found.Cut
		v.Groups = v.Groups[:min(len(v.Groups), listedGroups)]
	}
	return v, nil
}

// latestWhole returns the latest run that has read all rows of a sync, the zero value if none is known: one that reads what changed says nothing of the others.
func latestWhole(c *call, sync string) (r ledger.Run, err error) {
	runs, err := c.d.Ledger.Runs(c.r.Context(), sync, listedRuns)
	if i := slices.IndexFunc(runs, func(r ledger.Run) bool { return hasRead(r) && !r.Summary.OfChanges() }); i >= 0 {
		r = runs[i]
	}
	return r, err
}

// alone does something that is costly, unless it is being done already.
func (p *Page) alone(do func() error) error {
	if !p.reading.TryLock() {
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "busy", Message: "a source, or all that is recorded, is being read for the page already", Hint: "try again in a moment"}
	}
	defer p.reading.Unlock()
	return do()
}
