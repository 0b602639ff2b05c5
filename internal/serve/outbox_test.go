package serve

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/owlat/owlattest"
)

// TestAWriteBackThatCannotBeToldYet: the service begins, takes webhooks in, and tells them once the folder or the table is there.
func TestAWriteBackThatCannotBeToldYet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.write("app.db", "")
	h.configure(`file: lines.ndjson} → file: nowhere/lines.ndjson}, {name: table, on: [topic.unsubscribed], dsn: "sqlite:app.db", statement: "UPDATE people SET news = 0 WHERE email = :email"}`)
	l := h.begin()
	l.until("the first run", func() bool { return h.member("bob@example.com") })
	if log := h.log.String(); strings.Count(log, "cannot be told anything now") != 2 || !strings.Contains(log, "no such table") {
		t.Errorf("%s", log)
	}
	if _, err := h.server.AddWebhook("http://"+l.at.Listen+"/webhooks/owlat", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Unsubscribe("bob@example.com", ""); err != nil {
		t.Fatal(err)
	}
	pending := func() int {
		_, all := l.call("GET", "/api/v1/write-backs", "")
		list, _ := all["deliveries"].([]any)
		return len(list)
	}
	l.until("the webhook", func() bool { return pending() > 0 })
	l.end()

	if err := os.Mkdir(filepath.Join(h.dir, "nowhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE people (email TEXT, news INT); INSERT INTO people VALUES ('bob@example.com', 1)"); err != nil {
		t.Fatal(err)
	}
	l = h.begin()
	l.until("both write-backs", func() bool {
		text, _ := os.ReadFile(filepath.Join(h.dir, "nowhere", "lines.ndjson"))
		var news int
		err := db.QueryRowContext(t.Context(), "SELECT news FROM people").Scan(&news)
		return err == nil && news == 0 && strings.Contains(string(text), "bob@example.com")
	})
}
