package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// TestHear takes in a webhook of each kind, each twice.
func TestHear(t *testing.T) {
	t.Parallel()
	l := memory.New()
	const secret = "whsec_0123456789"
	for i, test := range []struct {
		event, data string
		isNew       bool
	}{
		{"topic.unsubscribed", `{"contactId":"c1","email":"Ada@example.com","unsubscribedAt":1700000000000,"listsRemoved":"[{\"topicId\":\"news\",\"topicName\":\"News\"}]"}`, true},
		{"email.bounced", `{"email":"Bob@example.com","bounceType":"hard","message":"550"}`, true},
		{"email.bounced", `{"email":"eve@example.com","bounceType":"soft","message":"452"}`, true},
		{"email.complained", `{"email":"Cleo@example.com"}`, true},
		{"contact.created", `{"contactId":"c2","email":"Dan@example.com","source":"form"}`, true},
		{"test", `{}`, true},
		{"email.opened", `{"email":"ada@example.com"}`, false},
	} {
		body := fmt.Appendf(nil, `{"event":%q,"timestamp":"2026-03-01T12:00:0%d.000Z","data":%s}`, test.event, i, test.data)
		for _, isNew := range []bool{test.isNew, false} {
			e, err := owlat.VerifyWebhook([]string{secret}, owlat.SignWebhook(secret, "w", time.Now(), body), body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := reconcile.Hear(t.Context(), l, e); got != isNew || err != nil {
				t.Errorf("%s: new %v, %v", test.event, got, err)
			}
		}
	}
	outs, err := l.OptOuts(t.Context(), []string{"c1"})
	if err != nil || len(outs) != 1 || outs[0].Topic != "news" || outs[0].At.UnixMilli() != 1700000000000 {
		t.Errorf("opt-outs %+v, %v", outs, err)
	}
	barred, err := l.Suppressions(t.Context(), []string{"bob@example.com", "cleo@example.com", "eve@example.com"})
	if err != nil || len(barred) != 2 || barred["eve@example.com"].Email != "" {
		t.Errorf("suppressions %+v, %v", barred, err)
	}
	known, err := l.Known(t.Context(), []string{"dan@example.com"})
	if err != nil || known["dan@example.com"] != "c2" {
		t.Errorf("known %v, %v", known, err)
	}
}
