package consent

import (
	"testing"
	"time"

	"owlatsync/ledger"
)

// TestWaiting asks what the entries of a contact tell of a confirmation that is outstanding, for an add to the topic news.
func TestWaiting(t *testing.T) {
	t.Parallel()
	early := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	late := early.Add(time.Hour)
	on := func(topic string, since time.Time) ledger.Membership {
		return ledger.Membership{Topic: topic, State: ledger.MemberAdded, Pending: since}
	}
	off := func(topic string, since time.Time) ledger.Membership {
		return ledger.Membership{Topic: topic, State: ledger.MemberOut, Pending: since}
	}
	for _, c := range []struct {
		name        string
		memberships []ledger.Membership
		want        Wait
	}{
		{"nothing is outstanding", []ledger.Membership{on("news", time.Time{}), off("tips", time.Time{})}, Wait{}},
		{"the topic asks", []ledger.Membership{on("news", late)}, Wait{Since: late, Topic: true}},
		{"another topic asks", []ledger.Membership{on("tips", late)}, Wait{Since: late}},
		{"the longest wait counts", []ledger.Membership{on("tips", late), on("news", early)}, Wait{Since: early, Topic: true}},
		{"the person has left one since", []ledger.Membership{on("news", early), off("tips", late)}, Wait{Since: early, Topic: true, Left: true}},
	} {
		if got := Waiting(&ledger.Entry{Memberships: c.memberships}, "news"); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}

	others := []ledger.Holder{
		{Entry: &ledger.Entry{Origin: ledger.OriginAdopted, Memberships: []ledger.Membership{on("news", late)}}},
		{Entry: &ledger.Entry{Origin: ledger.OriginCreated, Memberships: []ledger.Membership{off("tips", early)}}},
	}
	if got, created := WaitingElsewhere(others, "news"); got != (Wait{Since: early, Left: true}) || !created {
		t.Errorf("elsewhere: %+v, created %v", got, created)
	}
	if got, created := WaitingElsewhere(others[:1], "news"); got != (Wait{Since: late, Topic: true}) || created {
		t.Errorf("elsewhere, adopted: %+v, created %v", got, created)
	}
}
