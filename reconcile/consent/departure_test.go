package consent

import (
	"testing"
	"time"

	"owlatsync/ledger"
)

// TestDeparted concludes a departure only where nothing else explains that somebody is not on a topic.
func TestDeparted(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	member := func(state ledger.MembershipState, consent bool, minute int) ledger.Holder {
		return ledger.Holder{Sync: "s", Entry: &ledger.Entry{ContactID: "c", Memberships: []ledger.Membership{{Topic: "t", State: state, Consent: consent, At: at(minute)}}}}
	}
	added := member(ledger.MemberAdded, true, 10)
	off, on := Members{"t": {Name: "News"}}, Members{"t": {Name: "News", On: true}}
	told := []ledger.OptOut{{ContactID: "c", Topic: "t", At: at(15)}}
	for name, test := range map[string]struct {
		holders []ledger.Holder
		known   []ledger.OptOut
		members Members
		read    int
		since   int // 0: nobody has left
	}{
		"added, and not on it":                  {[]ledger.Holder{added}, nil, off, 20, 10},
		"added, and on it":                      {[]ledger.Holder{added}, nil, on, 20, 0},
		"a topic that the deployment has not":   {[]ledger.Holder{added}, nil, Members{"other": {}}, 20, 0},
		"read before the add":                   {[]ledger.Holder{added}, nil, off, 9, 0},
		"left alone":                            {[]ledger.Holder{member(ledger.MemberSkipped, true, 10)}, nil, off, 20, 0},
		"not known":                             {[]ledger.Holder{member(ledger.MemberUnknown, false, 10)}, nil, off, 20, 0},
		"an add in doubt":                       {[]ledger.Holder{member(ledger.MemberSent, true, 10)}, nil, off, 20, 0},
		"unsure":                                {[]ledger.Holder{member(ledger.MemberUnsure, true, 10)}, nil, off, 20, 0},
		"wanted":                                {[]ledger.Holder{member(ledger.MemberWanted, true, 10)}, nil, off, 20, 0},
		"known to have left":                    {[]ledger.Holder{added}, told, off, 20, 0},
		"known to have left before the add":     {[]ledger.Holder{member(ledger.MemberAdded, true, 16)}, told, off, 20, 16},
		"taken off by another sync since":       {[]ledger.Holder{added, member(ledger.MemberOut, false, 12)}, nil, off, 20, 0},
		"taken off by another sync before":      {[]ledger.Holder{added, member(ledger.MemberOut, false, 8)}, nil, off, 20, 10},
		"being taken off by another sync":       {[]ledger.Holder{added, member(ledger.MemberLeaving, false, 8)}, nil, off, 20, 0},
		"gone with the row of another sync":     {[]ledger.Holder{added, member(ledger.MemberLeft, true, 12)}, nil, off, 20, 0},
		"added by two syncs":                    {[]ledger.Holder{added, member(ledger.MemberAdded, true, 14)}, nil, off, 20, 14},
		"left alone by another sync":            {[]ledger.Holder{added, member(ledger.MemberSkipped, true, 12)}, nil, off, 20, 10},
		"an add in doubt of another sync since": {[]ledger.Holder{added, member(ledger.MemberSent, true, 12)}, nil, off, 20, 10},
	} {
		left := Departed(test.holders, test.known, test.members, at(test.read))
		switch {
		case test.since == 0 && len(left) > 0:
			t.Errorf("%s: %+v", name, left)
		case test.since > 0 && (len(left) != 1 || !left[0].Since.Equal(at(test.since)) || left[0].Name != "News" || left[0].ID != "t"):
			t.Errorf("%s: %+v, want one since %v", name, left, at(test.since))
		}
	}
	d := Departure{ContactID: "c", Topics: []DepartedTopic{{ledger.FeedbackTopic{ID: "t"}, at(10)}}, At: at(20)}
	if o := d.OptOuts(); len(o) != 1 || o[0] != (ledger.OptOut{ContactID: "c", Topic: "t", At: at(20), Since: at(10)}) {
		t.Errorf("opt-outs %+v", o)
	}
}
