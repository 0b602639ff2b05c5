package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSetBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	print := Fingerprint{Hi: 1, Lo: 2}
	with := func(consent bool, state MembershipState) []Membership {
		return []Membership{{Topic: "t", Consent: consent, State: state, At: at}}
	}
	for _, c := range []struct {
		name         string
		before, want Entry
	}{
		{"a no", Entry{Memberships: with(false, MemberOut)}, Entry{}},
		{"an add that was never sent", Entry{Memberships: with(true, MemberWanted)}, Entry{}},
		{"a removal of unknown outcome", Entry{Memberships: with(false, MemberLeaving)}, Entry{Memberships: with(true, MemberSkipped)}},
		{"an add of unknown outcome", Entry{Memberships: with(true, MemberSent)}, Entry{Memberships: with(true, MemberUnsure)}},
		{"an event that is due", Entry{Events: []EventMark{{Name: "e", State: EventDue}}}, Entry{Events: []EventMark{{Name: "e", State: EventSent}}}},
		{"an event that is awaited", Entry{Events: []EventMark{{Name: "e", State: EventAwaited}}}, Entry{Events: []EventMark{{Name: "e", State: EventSent}}}},
		{
			"a create of unknown outcome",
			Entry{Doubt: true, Identity: "a@example.com", Intent: Intent{Create: at}}, Entry{Events: []EventMark{{On: OnAppears, State: EventSent}}},
		},
		{"a row without a contact", Entry{FirstSeen: at}, Entry{FirstSeen: at, Events: []EventMark{{On: OnAppears, State: EventSent, At: at}}}},
		{
			"a created contact that is in no topic yet", Entry{ContactID: "c", Doubt: true, Identity: "a@example.com", Intent: Intent{Create: at}},
			Entry{ContactID: "c", Doubt: true, Identity: "a@example.com"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, want := c.before, c.want
			got.Fingerprint = print
			if len(got.Memberships)+len(got.Events) > 0 {
				got.ContactID, want.ContactID = "c", "c"
			}
			if !SetBack(&got) {
				t.Error("nothing changed")
			}
			if len(got.Memberships) == 0 {
				got.Memberships = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if SetBack(&got) {
				t.Error("it changed twice")
			}
		})
	}
	for _, m := range [][]Membership{
		nil, with(true, MemberAdded), with(true, MemberSkipped), with(true, MemberOptedOut), with(true, MemberLeft), with(true, MemberLeaving),
		with(true, MemberUnsure),
	} {
		e := Entry{ContactID: "c", Fingerprint: print, Memberships: m, Events: []EventMark{{State: EventSent}, {State: EventUnknown}}}
		if want := e; SetBack(&e) || !cmp.Equal(want.Memberships, e.Memberships) || e.Fingerprint != print {
			t.Errorf("%+v became %+v", m, e)
		}
	}
}
