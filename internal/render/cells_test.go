package render

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// TestLongTextsDoNotBreakTables: a line with a long address is as wide as others in all tables, and whole in JSON.
func TestLongTextsDoNotBreakTables(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("ä", 60) + "." + strings.Repeat("b", 180) + "@long.example.com"
	told := []ledger.Feedback{
		{ID: 2, Event: owlat.WebhookEmailBounced, Received: at, Email: long, Kind: "hard"},
		{ID: 1, Event: owlat.WebhookEmailBounced, Received: at, Email: "ann@example.com", Kind: "hard"},
	}
	deliveries := []ledger.Delivery{
		{ID: 2, Target: strings.Repeat("w", 100), State: ledger.DeliveryDead, Feedback: told[0]}, {ID: 1, Target: "w", State: ledger.DeliveryDead, Feedback: told[1]},
	}
	for name, show := range map[string]func(To) error{
		"feedback": func(to To) error { return Feedback(to, told) },
		"suppressions": func(to To) error {
			return Suppressions(to, []ledger.Suppression{{Email: long, At: at}, {Email: "ann@example.com", At: at}})
		},
		"deliveries": func(to To) error { return Deliveries(to, deliveries, nil) },
		"failures": func(to To) error {
			l := NewTroubles(to)
			for _, tr := range []reconcile.Trouble{{Sync: "users", Key: long, Address: long, What: "row"}, {Sync: "users", Key: "1", Address: "ann@example.com", What: "row"}} {
				if err := l.Row(tr); err != nil {
					return err
				}
			}
			return l.End()
		},
	} {
		var text, json strings.Builder
		if err := show(To{W: &text}); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(text.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > 200 {
				t.Errorf("%s: a line of %d characters: %s", name, n, line)
			}
		}
		if want := strings.Repeat("ä", 23) + "..." + strings.Repeat("b", 5) + "@long.example.com\n"; !strings.Contains(strings.ReplaceAll(text.String(), " ", "\n"), want) ||
			!strings.Contains(text.String(), "ann@example.com") || !strings.Contains(text.String(), "--json has them whole") {
			t.Errorf("%s:\n%s", name, &text)
		}
		if err := show(To{W: &json, JSON: true}); err != nil || !strings.Contains(json.String(), long) {
			t.Errorf("%s: %v: %s lacks the address", name, err, &json)
		}
	}
	var short strings.Builder
	if err := Feedback(To{W: &short}, told[1:]); err != nil || strings.Contains(short.String(), "--json") {
		t.Errorf("%v: nothing is cut, and yet\n%s", err, &short)
	}
}
