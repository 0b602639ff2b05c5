package home

import (
	"context"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// TestAHomeKnowsTopicsByTheirNames from its beginning, and asks again for another configuration.
func TestAHomeKnowsTopicsByTheirNames(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.server.SetUnsubscribeSecret("secret of links")
	topic := h.server.AddTopic("News", false)
	if _, err := h.server.AddContact(owlattest.ContactState{Email: "somebody@example.com"}); err != nil {
		t.Fatal(err)
	}
	called := func(name string) *config.Config {
		cfg := h.cfg("allow")
		cfg.Owlat.UnsubscribeSecret, cfg.Syncs[0].Topics = "secret of links", []config.Topic{{Name: name}}
		return cfg
	}
	home, err := Open(t.Context(), called("News"), h.o)
	if err != nil {
		t.Fatal(err)
	}
	h.d.SetLine(home)
	home.Start(context.Background())
	t.Cleanup(func() {
		if err := home.Close(); err != nil {
			t.Error(err)
		}
	})
	if o := home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Scheduled}); o.Status != ledger.StatusOK || o.Err != nil {
		t.Fatalf("the run: %+v", o)
	}
	if c, ok := h.server.Contact("p0@example.com"); !ok || len(c.Topics) != 1 || c.Topics[0] != topic {
		t.Errorf("the person is %+v, want the topic %s", c, topic)
	}
	if _, err := home.Prepare(t.Context(), called("Weekly")); err == nil || !strings.Contains(err.Error(), "no topic called \"Weekly\"") {
		t.Errorf("a name of nothing was taken over: %v", err)
	}
	// A node that has no home for the deployment shows it as the last run knew it.
	shown, err := setup.Remember(t.Context(), h.d.Ledger(), called("News"))
	if err != nil || shown.Syncs[0].Topics[0].ID != topic || !shown.Unresolved() {
		t.Errorf("%+v is shown, %v", shown.Syncs[0].Topics, err)
	}
}
