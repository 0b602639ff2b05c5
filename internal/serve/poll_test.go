package serve

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// TestWithoutWebhooksButWithPolling is the story of a service that no webhook reaches: a person leaves by the link in a mail, the next round finds
// it, the write-back writes it into the database, and no run puts the person back. Later it takes in webhooks beside: one of what is known already comes late and is recorded, told to nobody, and counted no more.
func TestWithoutWebhooksButWithPolling(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.server.SetUnsubscribeSecret("0123456789abcdef-links")
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "app.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE people (id TEXT, email TEXT, news INT); INSERT INTO people VALUES ('1', 'ann@example.com', 1), ('2', 'bob@example.com', 1)"); err != nil {
		t.Fatal(err)
	}
	consents := func() (text string) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), "SELECT group_concat(news, ',') FROM (SELECT news FROM people ORDER BY id)").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	source := []string{
		`dsn: "csv:users.csv" → dsn: "sqlite:app.db", query: "SELECT id, email, news FROM people"`,
		`{name: lines, on: [topic.unsubscribed], file: lines.ndjson} → {name: crm, on: [topic.unsubscribed], statement: "UPDATE people SET news = 0 WHERE id = :key"}`,
	}
	h.configure(append(source, "webhooks: {secrets: [whsec_0123456789abcdef]}\n → ")...)
	l := h.begin()
	l.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
	l.end()

	if err := h.server.Unsubscribe("bob@example.com", ""); err != nil {
		t.Fatal(err)
	}
	polling := []string{"webhooks: {secrets: [whsec_0123456789abcdef]} → feedback: {poll: every 1h}", "requests_per_second: 1000 → requests_per_second: 1000, unsubscribe_secret: 0123456789abcdef-links"}
	h.configure(append(source, polling...)...)
	l = h.begin()
	l.until("the write-back", func() bool { return consents() == "1,0" })
	found := "" // when, on Owlat's clock, the reading found what it tells
	heard := func() string {
		_, all := l.call("GET", "/api/v1/feedback", "")
		list, _ := all["feedback"].([]any)
		text := ""
		for _, one := range list {
			f, _ := one.(map[string]any)
			if f["kind"] == "read" {
				found, _ = f["at"].(string)
			}
			text += fmt.Sprint(f["event"], " ", f["kind"], ";")
		}
		return text
	}
	if got := heard(); got != "topic.unsubscribed read;" {
		t.Errorf("feedback %q", got)
	}
	done := func() (n any) {
		_, all := l.call("GET", "/api/v1/status", "")
		if people := all["last_round"].(map[string]any)["people"]; people != 1.0 {
			t.Errorf("the round found %v people", people)
		}
		crm, _ := all["write_backs"].(map[string]any)["crm"].(map[string]any)
		return crm["done"]
	}
	l.until("the delivery", func() bool { return done() == 1.0 })
	counted := func() (n string) {
		for line := range strings.Lines(l.text("/metrics")) {
			if rest, is := strings.CutPrefix(line, "owlat_sync_opt_outs_total "); is {
				n = strings.TrimSpace(rest)
			}
		}
		return n
	}
	if got := counted(); got != "1" {
		t.Errorf("%s opt-outs are counted after the round", got)
	}
	l.run()
	if h.member("bob@example.com") || !h.member("ann@example.com") {
		t.Error("a run put somebody back, or took somebody off")
	}
	l.end()

	h.configure(append(source, "webhooks: → feedback: {poll: every 1h}\nwebhooks:", polling[1])...)
	l = h.begin()
	if _, err := h.server.AddWebhook("http://"+l.at.Listen+"/webhooks/owlat", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	left, err := time.Parse(time.RFC3339Nano, found) // the moment of leaving itself may seem to be before the person was put on the topic: clocks are known to a second
	if err != nil {
		t.Fatal(err)
	}
	bob, _ := h.server.Contact("bob@example.com")
	late := fmt.Sprintf(`{"event":"topic.unsubscribed","timestamp":%q,"data":{"contactId":%q,"email":"bob@example.com","unsubscribedAt":%d,"listsRemoved":%q}}`,
		left.UTC().Format(time.RFC3339), bob.ID, left.UnixMilli(), fmt.Sprintf(`[{"topicId":%q,"topicName":"news"}]`, h.topic))
	var signed []string
	for name, values := range owlat.SignWebhook("whsec_0123456789abcdef", "wh_late", time.Now(), []byte(late)) {
		signed = append(signed, name, values[0])
	}
	if status, text := l.ask("POST", "/webhooks/owlat", late, signed...); status != 204 {
		t.Errorf("the late webhook is answered with %d %s", status, text)
	}
	if got := heard(); !strings.HasPrefix(got, "topic.unsubscribed ") || strings.Count(got, "topic.unsubscribed") != 2 || counted() != "0" || done() != 1.0 {
		t.Errorf("after the late webhook: feedback %q, %s opt-outs counted, %v deliveries", got, counted(), done())
	}
	if err := h.server.Unsubscribe("ann@example.com", ""); err != nil { // this one is told at once
		t.Fatal(err)
	}
	l.until("the webhook", func() bool { return consents() == "0,0" })
	l.until("both deliveries", func() bool { return done() == 2.0 })
	if got := counted(); got != "1" {
		t.Errorf("%s opt-outs are counted after the other webhook", got)
	}
	l.end()
}
