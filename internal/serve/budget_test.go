package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/cluster"
	"owlatsync/internal/errand"
	"owlatsync/internal/list"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/ledger/postgres"
)

// TestNodesSendForCommands lets commands send lists while two nodes work, one of which has a run to make. All of them have one key, whose
// limit is kept.
func TestNodesSendForCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.server.NoLimit, h.server.Rate, h.server.Burst = false, 50, 75
	h.configure("syncs: → ledger: "+testdb.Postgres(t)+"&schema=owlat_sync\nsyncs:", "requests_per_second: 1000 → requests_per_second: 50", "schedule: every 24h → schedule: \"0 0 1 1 *\"")
	people := "id,email,news\n"
	const rows, lists, each = 100, 3, 40
	for i := range rows {
		people += fmt.Sprintf("%d,user%d@example.com,true\n", i, i)
	}
	h.write("users.csv", people)
	h.begin()
	b := h.begin()
	set, err := h.load()
	if err != nil {
		t.Fatal(err)
	}
	cfg := set.Deployments[0]
	o := h.options().Opener
	o.Databases = &setup.Databases{}
	o.Line = func(ctx context.Context, db *postgres.Database) (errand.Line, func(), error) {
		e, err := cluster.Visit(db.Pool(), db.Schema(), db.Clock(), nil)
		return e, func() {}, err
	}
	sent := make(chan error, lists)
	began := time.Now()
	for n := range lists {
		go func() {
			sent <- func() (err error) {
				client, err := setup.OpenOutside(t.Context(), o, cfg, "a list", true)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, client.Close()) }()
				var entries []list.Entry
				for i := range each {
					entries = append(entries, list.Entry{Contact: fmt.Sprintf("user%d@%d.example", i, n)})
				}
				var failed error
				_, err = list.Upsert().Do(t.Context(), client.Client, entries, nil, nil, func(r list.Result) { failed = errors.Join(failed, r.Err) })
				return errors.Join(err, failed)
			}()
		}()
	}
	report := b.run()
	for range lists {
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	took := time.Since(began)
	if report["status"] != "ok" {
		t.Errorf("the run: %v", report)
	}
	if n := h.server.Len(); n != rows+lists*each {
		t.Errorf("%d contacts, not %d", n, rows+lists*each)
	}
	stats := h.server.Stats()
	if stats.RateLimited > 0 {
		t.Errorf("%d of %d requests were refused", stats.RateLimited, stats.Total)
	}
	t.Logf("%d requests in %v", stats.Total, took)
	conn, err := pgx.Connect(t.Context(), cfg.Ledger.DSN.Reveal()[:strings.Index(cfg.Ledger.DSN.Reveal(), "&schema")])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var calls, readable int
	err = conn.QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE args::text ~ 'example' OR metadata::text ~ 'example') FROM owlat_sync.river_job WHERE kind = 'call'").Scan(&calls, &readable)
	if err != nil || calls < lists*each || readable != 0 {
		t.Errorf("%d calls, of which %d can be read: %v", calls, readable, err)
	}
}
