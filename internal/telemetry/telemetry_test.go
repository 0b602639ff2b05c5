package telemetry_test

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broken is a ledger that cannot be read to its end.
type broken struct{ *memory.Ledger }

func (broken) Queued(context.Context) ([]ledger.Run, error) { return nil, io.ErrUnexpectedEOF }

// people are rows of a source.
type people []owlatsync.Row

func (p people) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for _, row := range p {
			if !yield(&row, nil) {
				return
			}
		}
	}
}

func somebody(key, email string) owlatsync.Row {
	return owlatsync.Row{Key: key, Email: owlatsync.Some(email), Consents: []owlatsync.Consent{owlatsync.Yes}}
}

// run makes a run of the sync "users" under the log's context.
func run(ctx context.Context, t *testing.T, l ledger.Store, log *slog.Logger, rows people, faults []owlattest.Fault, see func(owlat.Attempt), observers ...func(progress.Value)) {
	t.Helper()
	client, server := owlattest.Start(t, owlat.WithObserver(see), owlat.WithLogger(log), owlat.WithRetries(1))
	if err := server.InjectFaults(faults...); err != nil {
		t.Fatal(err)
	}
	sync := reconcile.Sync{Name: "users", Source: rows, Topics: []reconcile.Topic{{ID: server.AddTopic("News", false)}}}
	o := reconcile.RunOptions{Confirm: func(owlatsync.Summary) (bool, error) { return true, nil }}
	for _, each := range observers {
		o.Observers = append(o.Observers, progress.Observer{Each: each, Complete: true})
	}
	_, _ = reconcile.New(client, l, reconcile.Options{Logger: log}).Run(ctx, sync, o) // how it ended is what is observed
}

// scrape returns the lines of the program's own metrics, without buckets and comments.
func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("the scrape is answered with %d: %s", rec.Code, rec.Body)
	}
	lines := slices.DeleteFunc(strings.Split(rec.Body.String(), "\n"), func(line string) bool {
		return !strings.HasPrefix(line, "owlat_sync_") || strings.Contains(line, "_bucket{") || strings.HasPrefix(line, "owlat_sync_build_info")
	})
	return strings.Join(lines, "\n") + "\n"
}

func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
}

// TestMetricsOfARun makes a real run, of which one request fails, and scrapes before, within and after it.
func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics("v1")
		m.Know("users")
		holds(t, scrape(t, m), `owlat_sync_running{sync="users"} 0`, `owlat_sync_runs_total{status="ok",sync="users"} 0`,
			`owlat_sync_rows_total{outcome="failed",sync="users"} 0`, `owlat_sync_opt_outs_total 0`)
		within := ""
		look := func(v progress.Value) {
			if _, ok := v.(progress.Planned); ok {
				within = scrape(t, m)
			}
		}
		rows := people{somebody("1", "ada@example.com"), somebody("2", "grace@example.com"), somebody("3", "nobody")}
		faults := []owlattest.Fault{{Kind: owlattest.StatusError, Method: http.MethodPost, Route: "/contacts", At: 1}}
		run(t.Context(), t, memory.New(), slog.New(slog.DiscardHandler), rows, faults, m.Attempt, m.Observe, look)
		holds(t, within, `owlat_sync_running{sync="users"} 1`)
		after := scrape(t, m)
		holds(t, after, `owlat_sync_running{sync="users"} 0`, `owlat_sync_runs_total{status="ok",sync="users"} 1`,
			`owlat_sync_run_duration_seconds_count{sync="users"} 1`, `owlat_sync_rows_total{outcome="created",sync="users"} 2`,
			`owlat_sync_rows_total{outcome="invalid",sync="users"} 1`, `owlat_sync_memberships_total{change="added",sync="users"} 2`,
			`owlat_sync_requests_total{method="POST",route="/contacts",status="503"} 1`,
			`owlat_sync_requests_total{method="POST",route="/topics/{topic}/contacts",status="201"} 2`)
		if strings.Contains(after, "example.com") {
			t.Errorf("an address is among the metrics:\n%s", after)
		}
		m.Observe(progress.Ended{About: progress.About{Sync: "users", Run: 2}, Report: &owlatsync.Report{Kept: 3}})
		holds(t, scrape(t, m), `owlat_sync_values_kept_total{sync="users"} 3`)
		m.Know("leads")
		if gone := scrape(t, m); strings.Contains(gone, `"users"`) || !strings.Contains(gone, `"leads"`) {
			t.Errorf("after a change of the configuration:\n%s", gone)
		}
	})
}

// budget is a client whose pace is known.
type budget struct{ pace float64 }

func (b budget) Keys() []owlat.Key {
	return []owlat.Key{{Rate: b.pace, RateLimit: owlat.RateLimit{Limit: 10}}, {Rate: 10, Refused: []owlat.KeyRefusal{{Key: 2}}}}
}

// TestMetricsOfWhatStands scrapes a service with a ledger, an hour after a good run.
func TestMetricsOfWhatStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		for n := range byte(3) {
			_, err := l.TakeIn(t.Context(), ledger.News{
				Feedback:   ledger.Feedback{Hash: [ledger.HashSize]byte{n}, Event: "topic.unsubscribed", ContactID: "c", At: time.Now(), Received: time.Now()},
				Deliveries: []ledger.Delivery{{Target: "unsub", Person: string('a' + rune(n)), Due: time.Now()}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		due, err := l.DueDeliveries(t.Context(), "unsub", time.Now(), 1)
		if err != nil || len(due) != 1 {
			t.Fatal(due, err)
		}
		if err := l.Undelivered(t.Context(), due[0].ID, "no", true, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Enqueue(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: time.Now()}); err != nil {
			t.Fatal(err)
		}
		run(t.Context(), t, l, slog.New(slog.DiscardHandler), people{somebody("1", "ada@example.com")}, nil, func(owlat.Attempt) {})
		m := telemetry.NewMetrics("v1")
		m.Watch(vitals.NewReader(l, []config.Sync{{Name: "users", StaleAfter: time.Minute}, {Name: "leads"}}, time.Now()), budget{2.5})
		time.Sleep(time.Hour)
		m.Feedback("topic.unsubscribed", 2)
		m.Feedback("made.up.by.a.stranger", 0)
		m.Feedback("another", 0)
		m.WriteBack("unsub", nil, false)
		m.WriteBack("unsub", io.EOF, false)
		m.WriteBack("unsub", io.EOF, true)
		m.Alert("team", nil)
		m.Alert("team", io.EOF)
		holds(t, scrape(t, m), `owlat_sync_last_good_run_timestamp_seconds{sync="users"} 9.466848e+08`,
			`owlat_sync_last_good_run_age_seconds{sync="users"} 3600`, `owlat_sync_last_good_run_age_seconds{sync="leads"} 3600`,
			`owlat_sync_stale{sync="users"} 1`, `owlat_sync_stale{sync="leads"} 0`, `owlat_sync_held_runs{sync="users"} 0`, `owlat_sync_queued_runs 1`,
			`owlat_sync_last_feedback_timestamp_seconds 9.466848e+08`, `owlat_sync_write_back_deliveries{state="waiting",target="unsub"} 2`,
			`owlat_sync_write_back_deliveries{state="dead",target="unsub"} 1`, `owlat_sync_write_back_overdue_seconds{target="unsub"} 3600`,
			`owlat_sync_budget_pace_requests_per_second{key="1"} 2.5`, `owlat_sync_budget_limit_requests_per_second{key="1"} 10`, `owlat_sync_budget_share{key="1"} 0.25`,
			`owlat_sync_budget_share{key="2"} 1`, `owlat_sync_budget_key_refused{key="1"} 0`, `owlat_sync_budget_key_refused{key="2"} 1`,
			`owlat_sync_feedback_total{event="topic.unsubscribed"} 1`, `owlat_sync_feedback_total{event="other"} 2`, `owlat_sync_opt_outs_total 2`,
			`owlat_sync_write_back_attempts_total{result="done",target="unsub"} 1`, `owlat_sync_write_back_attempts_total{result="failed",target="unsub"} 1`,
			`owlat_sync_write_back_attempts_total{result="dead",target="unsub"} 1`, `owlat_sync_alerts_total{channel="team",result="sent"} 1`,
			`owlat_sync_alerts_total{channel="team",result="failed"} 1`)
	})
}

// TestAScrapeWithABrokenLedger still has what needs none.
func TestAScrapeWithABrokenLedger(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics("v1")
	m.Watch(vitals.NewReader(broken{memory.New()}, []config.Sync{{Name: "users"}}, time.Now()), budget{10})
	text := scrape(t, m)
	holds(t, text, `owlat_sync_budget_share{key="1"} 1`, `owlat_sync_opt_outs_total 0`)
	if strings.Contains(text, "owlat_sync_stale") {
		t.Errorf("what is not known is told:\n%s", text)
	}
}

// TestMetricsOfSeveralDeployments: those of one do not mix with another's, and go with it.
func TestMetricsOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetricsOfSeveral("v1")
	acme, bolt := m.Of("acme"), m.Of("bolt")
	for _, of := range []*telemetry.Metrics{acme, bolt} {
		of.Know("users", "leads")
		of.Watch(vitals.NewReader(memory.New(), []config.Sync{{Name: "users"}}, time.Now()), budget{2.5})
	}
	about := progress.About{Sync: "users", Run: 1}
	acme.Observe(progress.Started{About: about})
	bolt.Observe(progress.Started{About: about})
	bolt.Observe(progress.Ended{About: about, Status: ledger.StatusOK})
	acme.Feedback("topic.unsubscribed", 2)
	acme.Know("leads", "users")
	bolt.Know("users")
	m.Deployments(2, 1)
	text := scrape(t, m)
	holds(t, text, `owlat_sync_running{deployment="acme",sync="users"} 1`, `owlat_sync_running{deployment="bolt",sync="users"} 0`,
		`owlat_sync_runs_total{deployment="acme",status="ok",sync="users"} 0`, `owlat_sync_runs_total{deployment="bolt",status="ok",sync="users"} 1`,
		`owlat_sync_opt_outs_total{deployment="acme"} 2`, `owlat_sync_opt_outs_total{deployment="bolt"} 0`, `owlat_sync_running{deployment="acme",sync="leads"} 0`,
		`owlat_sync_held_runs{deployment="acme",sync="users"} 0`, `owlat_sync_held_runs{deployment="bolt",sync="users"} 0`,
		`owlat_sync_budget_pace_requests_per_second{deployment="acme",key="1"} 2.5`, `owlat_sync_deployments{state="open"} 2`, `owlat_sync_deployments{state="left_out"} 1`)
	if strings.Contains(text, `deployment="bolt",sync="leads"`) {
		t.Errorf("a sync that bolt has no more is there:\n%s", text)
	}
	bolt.Unwatch()
	m.Forget("bolt")
	if text := scrape(t, m); strings.Contains(text, "bolt") || !strings.Contains(text, `sync="leads"`) {
		t.Errorf("after bolt has gone:\n%s", text)
	}
	bolt.Watch(vitals.NewReader(memory.New(), nil, time.Now()), nil) // it comes back
	scrape(t, m)
	var none *telemetry.Metrics
	none.Of("acme").Observe(progress.Started{About: about})
	none.Watch(nil, nil)
	none.Unwatch()
	one := telemetry.NewMetrics("v1")
	if one.Of("") != one {
		t.Error("a service with one deployment has two sets of metrics")
	}
}
