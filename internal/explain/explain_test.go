package explain_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/setup"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// open returns a session of a sync with two rows that were applied, and the path of its source. More is more of the configuration.
func open(t *testing.T, server *owlattest.Server, more ...string) (s *setup.Session, users string) {
	t.Helper()
	dir := t.TempDir()
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey()}
	users = filepath.Join(dir, "users.csv")
	for path, text := range map[string]string{
		users: "id,email\n1,ann@example.com\n2,bob@example.com\n",
		filepath.Join(dir, "owlat-sync.yaml"): `owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
` + strings.Join(more, ""),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "owlat-sync.yaml"), config.UseAll, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	opener := setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}
	if s, err = opener.Open(t.Context(), cfg, config.UseAll); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	yes := func(owlatsync.Summary) (bool, error) { return true, nil }
	for _, sync := range cfg.Syncs {
		if _, err := s.Run(t.Context(), sync, reconcile.RunOptions{Confirm: yes}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s, users
}

func tales(t *testing.T, s *setup.Session, q explain.Question) (*explain.Question, []*explain.Tale) {
	t.Helper()
	q.Watch = func(string) (func(progress.Value), func()) { return nil, func() {} }
	asked, err := explain.Ask(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	told, err := asked.Tales(t.Context(), s, s.Config.Syncs[0])
	if err != nil {
		t.Fatal(err)
	}
	return asked, told
}

// TestARowIsFoundByAnyOfItsNames asks by key, by the address that the ledger has, and by one that only the source has yet.
func TestARowIsFoundByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	s, users := open(t, server)
	if err := os.WriteFile(users, []byte("id,email\n1,anne@example.com\n2,bob@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	writes := server.Stats().Writes
	for _, word := range []string{"1", "Ann@Example.com", "anne@example.com"} {
		_, told := tales(t, s, explain.Question{Word: word})
		if len(told) != 1 {
			t.Fatalf("%s: %d tales", word, len(told))
		}
		tale := told[0]
		if tale.Key != "1" || tale.Entry == nil || tale.Entry.Email != "ann@example.com" || tale.Row == nil || tale.Row.Email.Value != "anne@example.com" ||
			tale.Remote == nil || tale.Remote.Email != "ann@example.com" || len(tale.History) == 0 || !tale.Planned {
			t.Errorf("%s: %+v", word, tale)
		}
		if len(tale.Decisions) != 1 || tale.Decisions[0].Outcome != owlatsync.Renamed {
			t.Errorf("%s: decisions %+v", word, tale.Decisions)
		}
	}
	if server.Stats().Writes != writes {
		t.Error("something was written")
	}
}

// TestMembershipsAreReadWithTheSecret, and never of a contact that is not there any more. The answer does not count as known while the secret is wrong.
func TestMembershipsAreReadWithTheSecret(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true, UnsubscribeSecret: "the-secret-of-links"}
	topic := server.AddTopic("Newsletter", false)
	s, _ := open(t, server, "    topics: [{id: "+topic+"}]\n")
	about := func(secret, key string) *explain.Tale {
		t.Helper()
		if secret != "" {
			client, err := s.Client.With(owlat.WithUnsubscribeSecret(secret))
			if err != nil {
				t.Fatal(err)
			}
			s.Client = client
		}
		_, told := tales(t, s, explain.Question{Word: key})
		if len(told) != 1 {
			t.Fatalf("%d tales", len(told))
		}
		return told[0]
	}
	if tale := about("", "1"); tale.Members != nil || tale.MembersErr != nil || server.Stats().Links.Total != 0 {
		t.Errorf("without a secret: %+v, %v", tale.Members, tale.MembersErr)
	}
	if tale := about("of another deployment", "1"); tale.Members != nil || tale.MembersErr == nil || tale.Remote == nil {
		t.Errorf("with a wrong secret: %+v, %v", tale.Members, tale.MembersErr)
	}
	for i, want := range []bool{true, false} {
		tale := about(server.UnsubscribeSecret, "1")
		if tale.MembersErr != nil {
			t.Fatal(tale.MembersErr)
		}
		if on, known := tale.Members.Subscribed(topic); on != want || !known {
			t.Errorf("%d: on it %v, known %v", i, on, known)
		}
		if err := server.Unsubscribe("ann@example.com", topic); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Client.Contacts.Delete(t.Context(), about("", "2").Entry.ContactID); err != nil {
		t.Fatal(err)
	}
	links := server.Stats().Links.Total
	if tale := about("", "2"); !tale.Deleted() || tale.Members != nil || tale.MembersErr != nil || server.Stats().Links.Total != links {
		t.Errorf("deleted: %+v, %v", tale.Members, tale.MembersErr)
	}
}

func TestOfflineNobodyIsAsked(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	s, users := open(t, server)
	if err := os.Remove(users); err != nil {
		t.Fatal(err)
	}
	requests := server.Stats().Total
	asked, told := tales(t, s, explain.Question{Word: "bob@example.com", Offline: true})
	if len(told) != 1 || told[0].Key != "2" || told[0].Planned || told[0].Remote != nil || !slices.Equal(asked.Syncs(), []string{"users"}) {
		t.Errorf("%+v, syncs %q", told, asked.Syncs())
	}
	if server.Stats().Total != requests {
		t.Error("Owlat was asked")
	}
}

func TestWhoIsGoneInOwlatAndWhoWasForgotten(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	s, _ := open(t, server)
	if err := server.SoftDelete("ann@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, told := tales(t, s, explain.Question{Word: "1"}); len(told) != 1 || !told[0].Deleted() {
		t.Errorf("a contact that is gone: %+v", told)
	}
	if _, err := s.Ledger.ForgetPerson(t.Context(), "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]bool{"bob@example.com": true, "nobody@example.com": false, "4711": false} {
		asked, _ := tales(t, s, explain.Question{Word: word, Offline: true})
		if got, err := asked.Forgotten(t.Context(), s); got != want || err != nil {
			t.Errorf("%s was forgotten: %v, %v", word, got, err)
		}
	}
	if _, told := tales(t, s, explain.Question{Word: "4711"}); len(told) != 0 {
		t.Errorf("a key that nobody has: %+v", told)
	}
}

// TestAContactOfAnotherSync: of a contact that another sync created nobody is told that it was there before, and a topic on which that
// sync has put it is told as such.
func TestAContactOfAnotherSync(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	news := server.AddTopic("news", false)
	s, _ := open(t, server, `    topics: [{id: `+news+`}]
  web:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    topics: [{id: `+news+`}]
`)
	q := explain.Question{Word: "1", Watch: func(string) (func(progress.Value), func()) { return nil, func() {} }}
	for name, want := range map[string]string{"users": "", "web": "users"} {
		sync := s.Config.Syncs[slices.IndexFunc(s.Config.Syncs, func(c config.Sync) bool { return c.Name == name })]
		told, err := q.Tales(t.Context(), s, sync)
		if err != nil || len(told) != 1 {
			t.Fatalf("%d tales, %v", len(told), err)
		}
		if is := told[0].Sibling; is.Created != want || is.Put[news] != want || is.Left {
			t.Errorf("%s: %+v", name, is)
		}
	}
	if err := server.Unsubscribe("ann@example.com", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Ledger.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: contactID(t, server, "ann@example.com"), Topic: news, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	told, err := q.Tales(t.Context(), s, s.Config.Syncs[len(s.Config.Syncs)-1])
	if err != nil || len(told) != 1 || !told[0].Sibling.Left {
		t.Errorf("%+v, %v", told, err)
	}
}

func contactID(t *testing.T, server *owlattest.Server, email string) string {
	t.Helper()
	c, there := server.Contact(email)
	if !there {
		t.Fatalf("Owlat has no contact %s", email)
	}
	return c.ID
}

// TestWhatWebhooksTold explains a row between a webhook and the next run.
func TestWhatWebhooksTold(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{}
	topic := server.AddTopic("news", false)
	s, _ := open(t, server, "    topics: [{id: "+topic+"}]\n")
	ann, _ := server.Contact("ann@example.com")
	now := time.Now().UTC().Add(2 * time.Second) // the run has just ended, and knows Owlat's clock to a second
	for i, f := range []ledger.Feedback{
		{Event: "topic.unsubscribed", ContactID: ann.ID, Topics: []ledger.FeedbackTopic{{ID: topic, Name: "news"}}},
		{Event: "email.bounced", Email: "ann@example.com", Kind: "hard"},
		{Event: "email.complained", Email: "bob@example.com"},
	} {
		f.Hash[0], f.At, f.Received = byte(i), now, now
		news := ledger.News{Feedback: f}
		switch i {
		case 0:
			news.OptOuts = []ledger.OptOut{{ContactID: ann.ID, Topic: topic, At: now}}
		case 1:
			news.Suppressions = []ledger.Suppression{{Email: "ann@example.com", Reason: ledger.Bounced, At: now}}
		}
		if _, err := s.Ledger.TakeIn(t.Context(), news); err != nil {
			t.Fatal(err)
		}
	}
	_, told := tales(t, s, explain.Question{Word: "1"})
	if len(told) != 1 || len(told[0].Heard) != 2 || told[0].Barred == nil || told[0].Barred.Reason != ledger.Bounced {
		t.Fatalf("%+v", told)
	}
	if m := told[0].Entry.Membership(topic); m == nil || m.State != ledger.MemberOptedOut {
		t.Errorf("the membership is told as %+v", m)
	}
}

// TestWhatHasProvenToTell: webhooks count once one has come, and polling once a round has come to its end.
func TestWhatHasProvenToTell(t *testing.T) {
	t.Parallel()
	l := memory.New()
	all := ways.Ways{Webhooks: true, Polling: true, Secret: true}
	is := func(want ways.Ways) {
		t.Helper()
		if got, err := explain.Proven(t.Context(), l, all); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	is(ways.Ways{Secret: true})
	if _, err := l.TakeIn(t.Context(), ledger.News{Feedback: ledger.Feedback{Event: "contact.created", Received: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	is(ways.Ways{Webhooks: true, Secret: true})
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.KeepRound(t.Context(), ledger.Round{Began: time.Now(), Ended: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	is(all)
}

// TestWhenALeavingWasFound: a run that was held found it, not the one that was approved.
func TestWhenALeavingWasFound(t *testing.T) {
	t.Parallel()
	l := memory.New()
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "test"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	held, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: began})
	if err != nil {
		t.Fatal(err)
	}
	approved, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: began.Add(time.Hour), Approves: held})
	if err != nil {
		t.Fatal(err)
	}
	for key, run := range map[string]int64{"1": approved, "2": held, "3": 4711} {
		if err := lock.Record(t.Context(), ledger.Record{Sync: "users", Run: run, Entry: &ledger.Entry{Key: key, Departed: "topics", FirstSeen: began}, Event: ledger.EventRowLeft}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"1": true, "2": false, "3": false} {
		tale, err := explain.Of(t.Context(), l, config.Sync{Name: "users"}, key)
		if err != nil || tale == nil {
			t.Fatal(tale, err)
		}
		if got := tale.Left().Equal(began); got != want || tale.Left().IsZero() {
			t.Errorf("row %s left %v", key, tale.Left())
		}
	}
}
