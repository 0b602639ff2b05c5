package warm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/warm"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

// many is a service with so many deployments, each of which takes its time to tell how its two syncs stand. Every fifth one is not open.
type many struct {
	api.Service
	api.Ledger
	deployments     int
	takes           time.Duration
	asked, at, most int
	drawn           []string
	fails           error
}

func (m *many) Names() (names []string) {
	for n := range m.deployments {
		names = append(names, fmt.Sprintf("d%04d", n))
	}
	return names
}

func (m *many) Find(name string) (*api.Deployment, error) {
	if name[4] == '0' || name[4] == '5' {
		return nil, errors.New("it is not open")
	}
	return &api.Deployment{Name: name, Service: m, Ledger: m}, nil
}

func (m *many) Syncs(ctx context.Context) ([]api.SyncState, error) {
	m.asked++
	m.at++
	m.most = max(m.most, m.at)
	defer func() { m.at-- }()
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	state := func(name string) api.SyncState {
		return api.SyncState{Sync: standing.Sync{Sync: config.Sync{Name: name}}}
	}
	return []api.SyncState{state("users"), state("leads")}, m.fails
}

func (*many) Now() time.Time { return time.Now() }

func (m *many) Briefs(_ context.Context, sync string, since time.Time, _ int) ([]ledger.Brief, error) {
	m.drawn = append(m.drawn, fmt.Sprint(sync, " ", time.Since(since).Round(24*time.Hour)))
	return nil, nil
}

// TestFewAreRead starts services of all sizes, and looks how many deployments are read, and how long it takes.
func TestFewAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		many
		asked, drawn int
		took         time.Duration
	}{
		"none":           {many{}, 0, 0, warm.After},
		"one":            {many{deployments: 2, takes: 100 * time.Millisecond}, 1, 2, warm.After + 500*time.Millisecond},
		"thousands":      {many{deployments: 5000, takes: 100 * time.Millisecond}, 12, 24, warm.After + 6*time.Second},
		"a slow server":  {many{deployments: 5000, takes: 900 * time.Millisecond}, 3, 6, warm.After + warm.Within},
		"one that hangs": {many{deployments: 5000, takes: time.Hour}, 1, 0, warm.After + warm.Within},
		"a fault":        {many{deployments: 2, takes: 100 * time.Millisecond, fails: errors.New("away")}, 1, 0, warm.After + 500*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				warm.Up(t.Context(), &c.many)
				if c.many.asked != c.asked || len(c.many.drawn) != c.drawn || time.Since(began) != c.took || c.most > 1 {
					t.Errorf("%d were read, %d at once, with %d plots, in %s; want %d, %d, %s", c.many.asked, c.most, len(c.many.drawn), time.Since(began), c.asked, c.drawn, c.took)
				}
			})
		})
	}
}

// TestAServiceThatStops starts to read, and stops at once.
func TestAServiceThatStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), warm.After+10*time.Millisecond)
		defer cancel()
		m := &many{deployments: 3, takes: time.Minute}
		began := time.Now()
		warm.Up(ctx, m)
		if m.asked != 1 || time.Since(began) != warm.After+10*time.Millisecond {
			t.Errorf("%d were read in %s", m.asked, time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if warm.Up(gone, m); m.asked != 1 {
			t.Error("a service that has stopped read a ledger")
		}
	})
}
