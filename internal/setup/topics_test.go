package setup_test

import (
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestNamesOfTopics stand for ids that only a person changes.
func TestNamesOfTopics(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.server.SetUnsubscribeSecret("the secret of links")
	if _, err := p.server.AddContact(owlattest.ContactState{Email: "somebody@example.com"}); err != nil {
		t.Fatal(err)
	}
	first := p.server.AddTopic("Weekly", false)
	base := p.load(t, config.UseAll)
	base.Owlat.UnsubscribeSecret = "the secret of links"
	open := func(topics ...config.Topic) (*setup.Session, error) {
		cfg := *base
		cfg.Syncs = []config.Sync{base.Syncs[0]}
		cfg.Syncs[0].Topics = topics
		return opener.Open(t.Context(), &cfg, config.UseAll)
	}
	run := func(topics ...config.Topic) {
		t.Helper()
		s, err := open(topics...)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Run(t.Context(), s.Config.Syncs[0], reconcile.RunOptions{Confirm: yes}, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.Config.Syncs[0].Topics[0]; got.Unresolved() {
			t.Errorf("the topic has no id: %+v", got)
		}
	}
	refused := func(says string, topics ...config.Topic) {
		t.Helper()
		s, err := open(topics...)
		if err == nil {
			_ = s.Close()
			t.Fatalf("%+v was opened, want %q", topics, says)
		}
		if !strings.Contains(err.Error()+"; "+problem.HintOf(err), says) || exitcode.Of(err) != exitcode.Usage || strings.Contains(err.Error(), "@example.com") {
			t.Errorf("%v; %s (code %d), want %q", err, problem.HintOf(err), exitcode.Of(err), says)
		}
	}
	byName := config.Topic{Name: "Weekly"}
	run(byName)
	refused("which the sync has already", config.Topic{ID: first}, byName)
	refused("no topic called \"Daily\"", config.Topic{Name: "Daily"})

	if err := p.server.DeleteTopic(first); err != nil {
		t.Fatal(err)
	}
	second := p.server.AddTopic("Weekly", false)
	refused("stood for the topic "+first, byName)
	refused("write \"id: "+second+"\" beside the name", byName)

	// Who has said so once by the id beside the name need not say it again.
	run(config.Topic{ID: second, Name: "Weekly"})
	run(byName)
}
