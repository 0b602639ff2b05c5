package rounds_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/rounds"
)

const secret = "the secret of links"

// people is a source in memory.
type people int

func address(n int) string { return fmt.Sprintf("p%d@example.com", n) }

func (p people) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for n := range int(p) {
			row := &owlatsync.Row{Key: fmt.Sprint(n), Email: owlatsync.Some(address(n)), Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}}
			if row.Position = (owlatsync.Position{Unit: "row", Number: n + 1}); !yield(row, nil) {
				return
			}
		}
	}
}

// world is an emulator, and people whom a run has put on two topics of it.
type world struct {
	t          *testing.T
	server     *owlattest.Server
	client     *owlat.Client
	ledger     *memory.Ledger
	engine     *reconcile.Engine
	sync       reconcile.Sync
	news, tips string
	departed   []reconcile.Departure
	failing    error // of Departed
	key        string
}

func newWorld(t *testing.T, n int, limits bool, scopes ...string) *world {
	t.Helper()
	w := &world{t: t, server: &owlattest.Server{NoLimit: !limits, UnsubscribeSecret: secret}, ledger: memory.New()}
	return w.begin(n, scopes...)
}

// worldAt is newWorld where the ledger's clock, and Owlat's, are ahead.
func worldAt(t *testing.T, n int, ours, theirs time.Duration) *world {
	t.Helper()
	w := &world{t: t, server: &owlattest.Server{NoLimit: true, UnsubscribeSecret: secret, ClockAhead: theirs}, ledger: memory.New()}
	w.ledger.SetClock(ours)
	return w.begin(n)
}

func (w *world) begin(n int, scopes ...string) *world {
	w.t.Helper()
	w.news, w.tips = w.server.AddTopic("News", false), w.server.AddTopic("Tips", false)
	w.sync = reconcile.Sync{Name: "users", Source: people(n), Topics: []reconcile.Topic{{ID: w.news, When: true}, {ID: w.tips, When: true}}}
	w.key = w.server.AddKey(scopes...)
	w.engine = w.engineOf(w.key, secret)
	w.run()
	return w
}

func (w *world) engineOf(key, secret string) *reconcile.Engine {
	w.t.Helper()
	opts := []owlat.Option{owlat.WithTransport(w.server.Transport()), owlat.WithUnsubscribeSecret(secret)}
	if w.server.NoLimit {
		opts = append(opts, owlat.WithoutLimiter())
	}
	var err error
	if w.client, err = owlat.NewClient("https://owlat.example", key, opts...); err != nil {
		w.t.Fatal(err)
	}
	return reconcile.New(w.client, w.ledger, reconcile.Options{Departed: func(ctx context.Context, d reconcile.Departure) error {
		if w.failing != nil {
			return w.failing
		}
		w.departed = append(w.departed, d)
		return w.ledger.NoteOptOuts(ctx, d.OptOuts()...)
	}})
}

func (w *world) run() *owlatsync.Report {
	w.t.Helper()
	report, err := w.engine.Run(w.t.Context(), w.sync, reconcile.RunOptions{Confirm: func(owlatsync.Summary) (bool, error) { return true, nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

func (w *world) poll(o rounds.Options) ledger.Round {
	w.t.Helper()
	round, err := w.engine.Poller().Poll(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	if !round.Open.Began.IsZero() || round.Ended.IsZero() {
		w.t.Errorf("the round is not whole: %+v", round)
	}
	return round
}

// leave lets a person leave a topic by the link; an empty topic means everything.
func (w *world) leave(n int, topic string) {
	w.t.Helper()
	if err := w.server.Unsubscribe(address(n), topic); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(what string, got, want ledger.RoundCounts) {
	w.t.Helper()
	got.Requests, got.Seconds = owlatsync.RequestCounts{}, 0
	if got != want {
		w.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// TestWhoLeftIsFoundOnce reads those who moved, and nobody again.
func TestWhoLeftIsFoundOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, false)
		time.Sleep(time.Minute)
		w.want("before anybody left", w.poll(rounds.Options{}).RoundCounts, ledger.RoundCounts{Read: "moved", Listed: 5})
		added := time.Now()
		time.Sleep(time.Minute)
		w.leave(1, w.news)
		w.leave(2, "")
		if err := w.server.EditContact(address(3), owlat.UpdateContactRequest{FirstName: new("Ada")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		round := w.poll(rounds.Options{})
		w.want("after two left", round.RoundCounts, ledger.RoundCounts{Read: "moved", Listed: 5, Contacts: 3, People: 2, Topics: 3})
		if round.Requests.Links != 3 || round.Requests.Total != 2 || round.Requests.Writes != 0 { // the list, and a look whether who is on no topic is there
			t.Errorf("requests %+v", round.Requests)
		}
		for _, d := range w.departed {
			for _, topic := range d.Topics {
				if topic.Since.After(added) || d.At.Before(time.Now().Add(-2*time.Second)) || topic.Name == "" || d.Email == "" {
					t.Errorf("departure %+v", d)
				}
			}
		}
		entries, err := w.ledger.Entries(t.Context(), "users", []string{"1", "2"})
		if err != nil {
			t.Fatal(err)
		}
		if m := entries["1"].Membership(w.news); m.State != ledger.MemberOptedOut || entries["1"].Membership(w.tips).State != ledger.MemberAdded {
			t.Errorf("memberships %+v", entries["1"].Memberships)
		}
		lines, err := w.ledger.History(t.Context(), "users", "2")
		if last := lines[len(lines)-1]; err != nil || last.Event != rounds.EventLeft || last.Note != "News, Tips" && last.Note != "Tips, News" {
			t.Errorf("history %+v, %v", last, err)
		}
		w.want("once more", w.poll(rounds.Options{}).RoundCounts, ledger.RoundCounts{Read: "moved", Listed: 5})
		if report := w.run(); report.Requests.Writes != 0 && report.Memberships.Added > 0 {
			t.Errorf("a run puts somebody back: %+v", report)
		}
		w.want("of everybody", w.poll(rounds.Options{All: true}).RoundCounts, ledger.RoundCounts{Read: "all", Contacts: 4})
		if len(w.departed) != 2 {
			t.Errorf("%d departures", len(w.departed))
		}
	})
}

// TestWhoIsGoneHasNotLeft tells those who were deleted and merged from those who left.
func TestWhoIsGoneHasNotLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 6, false)
		time.Sleep(time.Minute)
		if err := errors.Join(w.server.SoftDelete(address(1)), w.server.Merge(address(2), address(3))); err != nil {
			t.Fatal(err)
		}
		if err := w.client.Contacts.Delete(t.Context(), address(4)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		counts := w.poll(rounds.Options{All: true}).RoundCounts
		w.want("all", counts, ledger.RoundCounts{Read: "all", Contacts: 5, Gone: 3})
		if len(w.departed) > 0 {
			t.Errorf("departures %+v", w.departed)
		}
	})
}

// TestWithoutTheScopeEverybodyIsRead does not take somebody for departed who may be deleted.
func TestWithoutTheScopeEverybodyIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, false, "contacts:write", "topics:write")
		time.Sleep(time.Minute)
		w.leave(1, w.news)
		w.leave(2, "")
		time.Sleep(time.Minute)
		w.want("moved", w.poll(rounds.Options{}).RoundCounts, ledger.RoundCounts{Read: "all", Contacts: 4, People: 1, Topics: 1, Untold: 1})
	})
}

// TestARoundThatBreaksOffGoesOn reads nobody twice.
func TestARoundThatBreaksOffGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 250, false)
		time.Sleep(time.Minute)
		w.leave(249, w.news)
		time.Sleep(time.Minute)
		stop := make(chan struct{})
		var before int
		_, err := w.engine.Poller().Poll(t.Context(), rounds.Options{All: true, Stop: stop, Tell: func(p rounds.Progress) {
			if before = p.Contacts; p.Total != 250 {
				t.Errorf("progress %+v", p)
			}
			close(stop)
			synctest.Wait()
		}})
		kept, keptErr := w.ledger.Round(t.Context())
		if !errors.Is(err, rounds.ErrInterrupted) || keptErr != nil || before != 100 || kept.Open.Contacts != 100 || kept.Open.Failed != "" || kept.Open.After == 0 {
			t.Fatalf("after %d contacts: %+v, %v, %v", before, kept, err, keptErr)
		}
		sent := w.server.Stats().Total
		round := w.poll(rounds.Options{All: true})
		w.want("the rest", round.RoundCounts, ledger.RoundCounts{Read: "all", Contacts: 250, People: 1, Topics: 1})
		if round.Requests.Links != 150 {
			t.Errorf("%d requests by links after the break, %d in all", round.Requests.Links, w.server.Stats().Total-sent)
		}
	})
}

// TestARefusalEndsARound keeps what was found before, tells no token, and goes on later.
func TestARefusalEndsARound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 150, false)
		time.Sleep(time.Minute)
		w.leave(1, w.news)
		time.Sleep(time.Minute)
		told := 0
		_, err := w.engine.Poller().Poll(t.Context(), rounds.Options{All: true, Tell: func(rounds.Progress) {
			if told++; told == 1 {
				w.server.SetUnsubscribeSecret("another secret")
			}
		}})
		kept, keptErr := w.ledger.Round(t.Context())
		if !errors.Is(err, rounds.ErrUntold) || keptErr != nil || kept.Open.Contacts != 100 || !strings.Contains(kept.Open.Failed, "another secret; compare the unsubscribe secret") {
			t.Errorf("%+v, %v, %v", kept, err, keptErr)
		}
		if strings.Contains(kept.Open.Failed, ":17") || strings.Contains(kept.Open.Failed, secret) {
			t.Errorf("it tells a token: %s", kept.Open.Failed)
		}
		w.server.SetUnsubscribeSecret(secret)
		w.want("later", w.poll(rounds.Options{All: true}).RoundCounts, ledger.RoundCounts{Read: "all", Contacts: 150, People: 1, Topics: 1})
	})
}

// TestARoundWithABadSecretFindsNobody ends at its first reading, whatever is wrong with the secret, and nobody counts as having left.
func TestARoundWithABadSecretFindsNobody(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(s *owlattest.Server){
		"of another":  func(s *owlattest.Server) { s.SetUnsubscribeSecret("that of another deployment") },
		"none":        func(s *owlattest.Server) { s.SetUnsubscribeSecret("") },
		"a clock off": func(s *owlattest.Server) { s.ClockAhead = 100 * 24 * time.Hour },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 150, false)
			time.Sleep(time.Minute)
			w.leave(1, w.news)
			spoil(w.server)
			before := w.server.Stats().Links.Total
			_, err := w.engine.Poller().Poll(t.Context(), rounds.Options{All: true})
			kept, keptErr := w.ledger.Round(t.Context())
			if sent := w.server.Stats().Links.Total - before; !errors.Is(err, rounds.ErrUntold) || keptErr != nil || kept.Open.Failed == "" || len(w.departed) > 0 || sent > 10 {
				t.Errorf("%s: %d requests, %+v, %v, %v", name, sent, kept, err, keptErr)
			}
		})
	}
}

// TestWhoGoesDuringARoundHasNotLeft deletes and merges those who are yet to be read.
func TestWhoGoesDuringARoundHasNotLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 150, false)
		time.Sleep(time.Minute)
		into, err := w.server.AddContact(owlattest.ContactState{Email: "somebody@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		round := w.poll(rounds.Options{All: true, Tell: func(rounds.Progress) {
			if told++; told > 1 {
				return
			}
			for n := range 150 {
				var err error
				switch n % 3 {
				case 0:
					err = w.server.SoftDelete(address(n))
				case 1:
					err = w.server.Merge(into, address(n))
				default:
					err = w.client.Contacts.Delete(t.Context(), address(n))
				}
				if err != nil {
					t.Error(err)
				}
			}
		}})
		if round.Gone != 50 || len(w.departed) > 0 || round.People+round.Untold > 0 {
			t.Errorf("%+v, %d departures", round, len(w.departed))
		}
	})
}

// TestALedgerThatFailsLosesNobody finds a departure again that could not be recorded.
func TestALedgerThatFailsLosesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, false)
		time.Sleep(time.Minute)
		w.leave(1, w.news)
		time.Sleep(time.Minute)
		w.failing = errors.New("the disk is full")
		if _, err := w.engine.Poller().Poll(t.Context(), rounds.Options{}); !errors.Is(err, w.failing) {
			t.Fatalf("error %v", err)
		}
		w.failing = nil
		w.want("again", w.poll(rounds.Options{}).RoundCounts, ledger.RoundCounts{Read: "moved", Listed: 3, Contacts: 2, People: 1, Topics: 1})
	})
}

// givesTurn is a turn that another wants once, and that loses the lock meanwhile to whoever takes it.
type givesTurn struct {
	wanted int
	yield  func()
}

func (g *givesTurn) Wanted() bool { g.wanted++; return g.wanted == 1 }

func (g *givesTurn) Yield(context.Context) error { g.yield(); return nil }

// TestARoundGivesWayToRuns has the ledger free while others have their turn.
func TestARoundGivesWayToRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 150, false)
		time.Sleep(time.Minute)
		runs := 0
		w.poll(rounds.Options{All: true, Turn: &givesTurn{yield: func() { w.run(); runs++ }}})
		if runs != 1 {
			t.Errorf("%d runs meanwhile", runs)
		}
	})
}

// TestALostLockEndsARound records nothing any more.
func TestALostLockEndsARound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 150, false)
		time.Sleep(time.Minute)
		w.leave(1, w.news)
		_, err := w.engine.Poller().Poll(t.Context(), rounds.Options{All: true, Tell: func(rounds.Progress) {
			if err := w.ledger.LoseLock(); err != nil {
				t.Error(err)
			}
		}})
		if !errors.Is(err, ledger.ErrLockLost) {
			t.Errorf("error %v", err)
		}
	})
}

// TestWhatARoundTakes holds the figures of the documents: 2 000 people within the real limits, in fake time.
func TestWhatARoundTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		w := newWorld(t, n, true)
		time.Sleep(time.Hour)
		for i := range n / 100 {
			w.leave(i*100, w.news)
		}
		round := w.poll(rounds.Options{})
		w.want("moved", round.RoundCounts, ledger.RoundCounts{Read: "moved", Listed: n, Contacts: n / 100, People: n / 100, Topics: n / 100})
		cost := rounds.CostOf(n, n/100, 10, owlat.DefaultPreferencesRate)
		if round.Requests.Total != cost.Requests || round.Requests.Links != cost.Links || round.Seconds > cost.Seconds {
			t.Errorf("it took %+v and %.1f s, computed %+v", round.Requests, round.Seconds, cost)
		}
		time.Sleep(time.Minute)
		round = w.poll(rounds.Options{All: true})
		cost = rounds.CostOf(0, n, 10, owlat.DefaultPreferencesRate)
		if round.Requests.Total != 0 || round.Requests.Links != n || round.Seconds > cost.Seconds+1 || round.Seconds < 0.9*cost.Seconds {
			t.Errorf("of all it took %+v and %.1f s, computed %+v", round.Requests, round.Seconds, cost)
		}
	})
}

// TestARoundOptsOutWhoHasComeIntoOwlat: of people to whom no mail may go, and who were not in Owlat, somebody else has made contacts since, such as by an
// import, and put them on topics. Whoever was opted out before and is back on a topic is so by their own wish.
func TestARoundOptsOutWhoHasComeIntoOwlat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, false)
		time.Sleep(time.Minute)
		now, back := w.ledger.Now(), address(2)
		c, _ := w.server.Contact(back)
		if err := w.ledger.Suppress(t.Context(),
			ledger.Suppression{Email: "row@example.com", Reason: ledger.NeverMail, At: now}, ledger.Suppression{Email: "list@example.com", Reason: ledger.Listed, At: now},
			ledger.Suppression{Email: "bounced@example.com", Reason: ledger.Bounced, At: now},
			ledger.Suppression{Email: back, Reason: ledger.NeverMail, At: now}, ledger.Suppression{Email: c.ID, Reason: ledger.NeverMail, At: now, Told: now},
		); err != nil {
			t.Fatal(err)
		}
		w.poll(rounds.Options{})
		out := map[string]bool{"Row@example.com": true, "list@example.com": true, "bounced@example.com": false, "other@example.com": false, back: false}
		for who := range out {
			if who == back {
				continue
			}
			id, err := w.server.AddContact(owlattest.ContactState{Email: who})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.client.Topics.Add(t.Context(), w.news, owlat.AddMemberRequest{ContactID: id}); err != nil {
				t.Fatal(err)
			}
		}
		w.server.SetUnsubscribeSecret("another secret")
		if _, err := w.engine.Poller().Poll(t.Context(), rounds.Options{}); !errors.Is(err, rounds.ErrUntold) {
			t.Errorf("with a refused secret: %v", err)
		}
		w.server.SetUnsubscribeSecret(secret)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 503, Route: owlattest.RouteUnsubscribe, Count: 3}); err != nil {
			t.Fatal(err)
		}
		for range 3 { // one of them meets the fault at first
			w.poll(rounds.Options{})
			time.Sleep(time.Minute)
		}
		for who, wanted := range out {
			c, there := w.server.Contact(who)
			if !there || c.Unsubscribed != wanted || (len(c.Topics) == 0) != wanted {
				t.Errorf("%s: opted out %v, on topics %v", who, c.Unsubscribed, c.Topics)
			}
			found, err := w.ledger.Suppressions(t.Context(), []string{c.ID})
			if is := found[c.ID]; err != nil || wanted && (is.Told.IsZero() || is.Reason != map[bool]ledger.SuppressionReason{true: ledger.Listed, false: ledger.NeverMail}[who[0] == 'l']) {
				t.Errorf("%s: the ledger says %+v, %v", who, is, err)
			}
		}
		before := w.server.Stats().Links.Total
		w.poll(rounds.Options{})
		if n := w.server.Stats().Links.Total - before; n > 0 {
			t.Errorf("%d requests by links once all is done", n)
		}
		if len(w.departed) > 0 {
			t.Errorf("departures %+v", w.departed)
		}
	})
}
