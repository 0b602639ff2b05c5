// Package warm reads once what the first looks at the page need, so that nobody waits for a server that has not read a large ledger since it was started.
//
// The idea to know: it is a courtesy, and it is bounded. One deployment is read at a time, with pauses that leave the processor and the disk to runs which begin, and
// where there are thousands, which mostly nobody looks at, the first few alone.
package warm

import (
	"context"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/page/figures"
)

const (
	// After is when it begins: what a service begins with comes first.
	After = time.Second
	// Most is how many deployments are read.
	Most = 16
	// Within is how long reading may take with all pauses.
	Within = 10 * time.Second
	// pauses is how much longer than a reading the pause after it is.
	pauses = 4
)

// Up reads what the first pages show of the deployments, until there is no more, Within is over or ctx ends. What cannot be read is left to who looks.
func Up(ctx context.Context, of api.Directory) {
	if !wait(ctx, After) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	names := of.Names()
	for _, name := range names[:min(Most, len(names))] {
		began := time.Now()
		if d, err := of.Find(name); err == nil {
			read(ctx, d)
		}
		if !wait(ctx, pauses*time.Since(began)) {
			return
		}
	}
}

// wait reports false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// read reads what the overview and the pages of each sync show. What the plots of the longest window need, those of the others need, too.
func read(ctx context.Context, d *api.Deployment) {
	states, err := d.Service.Syncs(ctx)
	if err != nil {
		return
	}
	since := figures.Windows[len(figures.Windows)-1].Since(d.Ledger.Now().UTC())
	for _, s := range states {
		if _, err := d.Ledger.Briefs(ctx, s.Sync.Sync.Name, since, figures.Most); err != nil {
			return
		}
	}
}
