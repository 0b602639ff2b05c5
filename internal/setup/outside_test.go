package setup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/config"
	"owlatsync/internal/errand"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/owlat"
)

// sharing is a place whose ledger is in PostgreSQL, with an open session.
func sharing(t *testing.T) (*place, *config.Config, setup.Opener, *setup.Session) {
	t.Helper()
	p := newPlace(t).inPostgres(t)
	cfg := p.load(t, config.UseKey|config.UseURL)
	o := opener
	o.Databases = &setup.Databases{}
	s, err := o.Open(t.Context(), cfg, config.UseKey|config.UseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, cfg, o, s
}

func outside(t *testing.T, o setup.Opener, cfg *config.Config, locks bool) *setup.Outside {
	t.Helper()
	out, err := setup.OpenOutside(t.Context(), o, cfg, "a test", locks)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLinksBesideRuns: who opts people out beside a service has a stated share of the pace by links.
func TestLinksBesideRuns(t *testing.T) {
	t.Parallel()
	for configured, want := range map[float64]float64{0: owlat.DefaultPreferencesRate / 2, 5: 2.5} {
		to := config.Owlat{URL: "https://owlat.example", APIKey: config.Secret("lm_live_" + strings.Repeat("a", 40)), UnsubscribeSecret: "s", PreferencesPerSecond: configured}
		client, err := setup.Opener{}.Client(to, setup.BesideLinks(to))
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Preferences.Rate(); got != want {
			t.Errorf("%v a second configured: %v, want %v", configured, got, want)
		}
	}
}

func upsert(out *setup.Outside) error {
	_, err := out.Contacts.Upsert(context.Background(), owlat.CreateContactRequest{Email: "ada@example.com"})
	return err
}

func near(got, want float64) bool { return got > want*0.999 && got < want*1.001 }

func rate(c *owlat.Client) float64 {
	r, _ := c.Rate()
	return r
}

// TestWhoHasTheLockHasTheBudget lets somebody send with the lock free, and then somebody else, and a third one.
func TestWhoHasTheLockHasTheBudget(t *testing.T) {
	t.Parallel()
	_, cfg, o, s := sharing(t)
	if got := rate(s.Client); !near(got, 970) {
		t.Errorf("a holder sends %v a second", got)
	}
	first := outside(t, o, cfg, true)
	if got := rate(first.Client); !near(got, 970) {
		t.Errorf("the first sends %v a second", got)
	}
	if _, err := s.Ledger.Acquire(t.Context(), ledger.Claim{}); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("the lock beside the first: %v", err)
	}
	second, third := outside(t, o, cfg, true), outside(t, o, cfg, false)
	for _, c := range []*setup.Outside{second, third} {
		if got := rate(c.Client); !near(got, 30) {
			t.Errorf("beside the first one sends %v a second", got)
		}
	}
	if err := errors.Join(upsert(first), upsert(second)); err != nil {
		t.Error(err)
	}
	done := make(chan error)
	go func() { done <- upsert(third) }()
	select {
	case err := <-done:
		t.Errorf("two have the share: %v", err)
	case <-time.After(300 * time.Millisecond): // the look for the turn comes every 250 ms
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := upsert(second); err == nil {
		t.Error("the second sends after its turn")
	}
	if err := errors.Join(first.Close(), third.Close()); err != nil {
		t.Error(err)
	}
	if err := upsert(first); err == nil {
		t.Error("the first sends without the lock")
	}
	k, err := s.Ledger.Acquire(t.Context(), ledger.Claim{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Release(); err != nil {
		t.Error(err)
	}
}

// TestTheShareOfSeveralKeys: whoever sends beside the holder has its share of each key, and begins when each has a token that nobody else
// had, however many requests wait.
func TestTheShareOfSeveralKeys(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	perSecond := 40.0
	p.write(t, "owlat-sync.yaml", fmt.Sprintf(`owlat: {requests_per_second: %v, api_keys: ["${OWLAT_API_KEY}", "${SECOND}"]}
syncs:
  users: {source: {dsn: "csv:users.csv"}, key: id, fields: {email: email}}
`, perSecond))
	p.inPostgres(t)
	p.env["SECOND"] = p.server.AddKey()
	cfg := p.load(t, config.UseKey|config.UseURL)
	o := opener
	o.Databases = &setup.Databases{}
	holder, err := o.Open(t.Context(), cfg, config.UseKey|config.UseURL)
	if err != nil {
		t.Fatal(err)
	}
	out := outside(t, o, cfg, false)
	if held, left := rate(holder.Client), rate(out.Client); !near(held, 2*0.97*perSecond) || !near(left, 2*0.03*perSecond) {
		t.Errorf("the holder sends %v a second, who is beside it %v", held, left)
	}
	const each = 3
	began := time.Now()
	var all sync.WaitGroup
	for range 2 * each {
		all.Go(func() {
			if err := upsert(out); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	every := time.Duration(float64(time.Second) / (0.03 * perSecond))
	log := p.server.Stats().Log
	for i, sent := range log {
		if earliest := began.Add(time.Duration(i/2+1)*every - 10*time.Millisecond); sent.Time.Before(earliest) {
			t.Errorf("request %d of %d came %v after the turn", i+1, len(log), sent.Time.Sub(began))
		}
	}
	for _, k := range p.server.Stats().Keys {
		if k.Total > len(log)/2+1 {
			t.Errorf("one of two keys sent %d of %d requests", k.Total, len(log))
		}
	}
	if err := errors.Join(out.Close(), holder.Close()); err != nil {
		t.Error(err)
	}
}

// served is a line to a session.
type served struct {
	*errand.Carrier
	calls atomic.Int64
}

func (s *served) Call(ctx context.Context, _ string, e json.RawMessage) (json.RawMessage, error) {
	s.calls.Add(1)
	return s.Carry(ctx, e)
}

// TestAServiceSendsForOthers has requests sent by a service only while one lives.
func TestAServiceSendsForOthers(t *testing.T) {
	t.Parallel()
	p, cfg, o, s := sharing(t)
	carrier, err := errand.NewCarrier(s.Client, cfg.Owlat.APIKey.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	line := &served{Carrier: carrier}
	ends := 0
	o.Line = func(context.Context, *postgres.Database) (errand.Line, func(), error) {
		return line, func() { ends++ }, nil
	}
	alone := outside(t, o, cfg, true)
	if err := errors.Join(upsert(alone), alone.Close()); err != nil {
		t.Error(err)
	}
	if line.calls.Load() != 0 {
		t.Error("nobody lives, and is asked")
	}
	conn, err := pgx.Connect(t.Context(), p.env["LEDGER"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "INSERT INTO owlat_sync.nodes (id, host, pid, version, since, seen, detail) VALUES ('n', '', 1, 'v', now(), now(), '{}')"); err != nil {
		t.Fatal(err)
	}
	other := outside(t, o, cfg, true)
	if err := upsert(other); err != nil {
		t.Error(err)
	}
	if _, err := other.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if line.calls.Load() == 0 || ends != 1 {
		t.Errorf("%d calls, %d ends", line.calls.Load(), ends)
	}
}

// TestWithAFileNothingIsShared keeps the whole budget where the ledger is on one machine.
func TestWithAFileNothingIsShared(t *testing.T) {
	t.Parallel()
	cfg := newPlace(t).load(t, config.UseKey|config.UseURL)
	s, err := opener.Open(t.Context(), cfg, config.UseKey|config.UseURL)
	if err != nil {
		t.Fatal(err)
	}
	out := outside(t, opener, cfg, true)
	if rates := []float64{rate(s.Client), rate(out.Client)}; !slices.Equal(rates, []float64{1000, 1000}) {
		t.Errorf("the pace is %v", rates)
	}
	if err := errors.Join(upsert(out), out.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

// TestErrandsBesideAnotherHolder has another process take the ledger while a service does errands.
func TestErrandsBesideAnotherHolder(t *testing.T) {
	t.Parallel()
	p, cfg, o, s := sharing(t)
	var lost error
	errands, err := s.Errands(t.Context(), func() error { return lost })
	if err != nil {
		t.Fatal(err)
	}
	plain, err := o.Client(cfg.Owlat)
	if err != nil {
		t.Fatal(err)
	}
	client, err := errand.NewClient(plain, cfg.Owlat.APIKey.Reveal(), carries{errands}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), p.env["LEDGER"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	shares := func() (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM owlat_sync.leases WHERE kind = 'share' AND expires > now()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	send := func() error {
		_, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{})
		return err
	}
	// become sends until so many have the share, and no longer than it takes to see who has the ledger; it fails if another number has.
	become := func(when string, want int) {
		t.Helper()
		for began := time.Now(); ; {
			if err := send(); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			switch n, took := shares(), time.Since(began); {
			case n == want && took > time.Second:
				return
			case n != want && took > 5*time.Second:
				t.Fatalf("%s: %d have the share, not %d", when, n, want)
			}
		}
	}
	become("alone", 0)
	k, err := s.Ledger.Acquire(t.Context(), ledger.Claim{})
	if err != nil {
		t.Fatal(err)
	}
	become("while the service has the ledger", 0)
	if _, err := conn.Exec(t.Context(), "UPDATE owlat_sync.leases SET pid = 0 WHERE kind = 'run'"); err != nil {
		t.Fatal(err)
	}
	become("while another process has the ledger", 1)
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
	become("alone again", 0)
	lost = ledger.ErrLockLost
	if err := send(); err == nil || owlat.OutcomeUnknown(err) {
		t.Errorf("when the service has lost its right: %v", err)
	}
}

// carries is a line to errands of the process.
type carries struct{ *setup.Errands }

func (c carries) Call(ctx context.Context, _ string, e json.RawMessage) (json.RawMessage, error) {
	return c.Carry(ctx, e)
}

// TestAReaderSendsWithTheShare lets somebody who may write nothing ask Owlat, as plans do.
func TestAReaderSendsWithTheShare(t *testing.T) {
	t.Parallel()
	_, cfg, o, _ := sharing(t)
	o.Reads = true
	for _, locks := range []bool{true, false} {
		out := outside(t, o, cfg, locks)
		if got := rate(out.Client); !near(got, 30) {
			t.Errorf("a reader sends %v a second", got)
		}
		if err := errors.Join(upsert(out), out.Close()); err != nil {
			t.Error(err)
		}
	}
}
