package setup_test

import (
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
)

// writingBack is a configuration with a sync of the DSN and the write-backs.
func writingBack(t *testing.T, dsn, writeBacks string) *config.Config {
	t.Helper()
	p := newPlace(t)
	p.write(t, "app.db", "")
	p.write(t, "owlat-sync.yaml", "syncs:\n  users:\n    source: {dsn: \""+dsn+"\", query: SELECT id AS id}\n    key: id\n    fields: {email: id}\nwrite_back:\n"+writeBacks)
	cfg := p.load(t, config.UseEverything)
	if cfg.NoService != nil {
		t.Fatal(cfg.NoService)
	}
	return cfg
}

func TestWriteBacks(t *testing.T) {
	t.Parallel()
	cfg := writingBack(t, "sqlite:app.db", `  - {name: unsub, on: topic.unsubscribed, statement: "UPDATE users SET a = 0 WHERE id = :key"}
  - {name: away, on: topic.unsubscribed, dsn: "postgres://app@db.example/app", statement: "UPDATE users SET a = 0 WHERE e = :email"}
  - {on: [email.bounced], file: feedback.ndjson}
  - {on: [email.bounced], webhook: {url: "https://me.example/in"}}
`)
	targets, err := opener.WriteBacks(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range targets {
		names = append(names, target.Name()+"/"+target.Sync())
	}
	if want := []string{"unsub/users", "away/", "file feedback.ndjson/", "webhook/"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if err := setup.CloseTargets(targets); err != nil {
		t.Error(err)
	}
}

func TestWriteBacksThatAreWrong(t *testing.T) {
	t.Parallel()
	sqlite, post := "sqlite:app.db", "postgres://app@db.example/app"
	for _, c := range []struct{ dsn, statement, want string }{
		{sqlite, "SELECT 1", "line 8 on: read the statement: it begins with SELECT"},
		{sqlite, "UPDATE users SET a = 0 WHERE e = :mail", "there is no parameter :mail"},
		{post, "UPDATE users SET a = 0 WHERE t = :topic", "it needs one of :email, :contact_id and :key"},
		{post, "UPDATE users SET a = :email", "it has no WHERE"},
		{"sqlite:none.db", "UPDATE users SET a = 0 WHERE e = :email", "no such file"},
		{"sqlite:app.db?immutable=1", "UPDATE users SET a = 0 WHERE e = :email", "immutable=1"},
	} {
		t.Run(c.statement, func(t *testing.T) {
			t.Parallel()
			cfg := writingBack(t, c.dsn, `  - {on: [email.bounced], file: f.ndjson}
  - {name: bad, on: [email.bounced], statement: "`+c.statement+`"}
`)
			targets, err := opener.WriteBacks(cfg)
			if targets != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `write-back "bad"`) || exitcode.Of(err) != exitcode.Usage {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// Two that append to one file would cut off each other's lines on a full disk.
func TestTwoWriteBacksToOneFile(t *testing.T) {
	t.Parallel()
	cfg := writingBack(t, "sqlite:app.db", `  - {name: one, on: [email.bounced], file: f.ndjson}
  - {name: two, on: [email.complained], file: ./f.ndjson}
`)
	if targets, err := opener.WriteBacks(cfg); targets != nil || err == nil || !strings.Contains(err.Error(), `write-back "two"`) || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("%v, %v", targets, err)
	}
}
