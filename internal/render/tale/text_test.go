package tale

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

func TestTale(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	when := words.Clock(at)
	sync := config.Sync{Name: "users", Topics: []config.Topic{{ID: "k57news", When: "news"}, {ID: "k57offers"}}, OnMissing: reconcile.MissingPolicy("ignore")}
	entry := &ledger.Entry{
		Key: "7", ContactID: "c7", Origin: ledger.OriginCreated, Email: "ann@example.com", Fields: owlatsync.Texts{owlatsync.FirstName: "Ann"}, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
		FirstSeen: at, ChangedAt: at,
		Memberships: []ledger.Membership{{Topic: "k57news", State: ledger.MemberAdded, Consent: true, At: at}},
	}
	left := new(*entry)
	left.Fields = owlatsync.Texts{}
	left.Memberships = append(slices.Clone(entry.Memberships), ledger.Membership{Topic: "k57gone", State: ledger.MemberOptedOut, At: at})
	for _, test := range []struct {
		name string
		tale explain.Tale
		want []string // lines
	}{
		{"in step, changed in Owlat, and to be renamed", explain.Tale{
			Entry: entry, Remote: &owlat.Contact{Email: "ann@example.com", FirstName: "Anna", UpdatedAt: at},
			History: []ledger.HistoryLine{{At: at, Run: 3, Event: string(owlatsync.Created)}, {At: at, Event: "retry"}},
			Planned: true, Row: &owlatsync.Row{Key: "7", Position: owlatsync.Position{Unit: "row", Number: 9}, Email: owlatsync.Field{State: owlatsync.Set, Value: "anne@example.com"}, Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}},
			Decisions: []reconcile.Decision{{Key: "7", Outcome: owlatsync.Renamed, Requests: 1, Changes: []owlatsync.Change{{Kind: owlatsync.RenameContact, From: "ann@example.com", To: "anne@example.com"}}}},
			Hits:      []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: "too many"}},
		}, []string{
			"first seen     " + when,
			"contact        c7, created by this sync",
			`               ann@example.com, firstName "Ann"`,
			"standing       applied, last recorded " + when,
			`in Owlat       changed there: firstName is "Anna" and not "Ann"`,
			`               "owlat-sync run --full" sets it right`,
			`topics         k57news: put on it ` + when + `; the row's column "news" said yes`,
			"               k57offers: not decided yet; the next run that applies the row does",
			"               (Owlat tells nobody who is on a topic now: who has left it since is not known here)",
			"history        " + when + "  run 3  created the contact",
			"               " + when + "  outside of a run  asked to try again",
			"in the source  anne@example.com, news yes",
			"next run       rename: address ann@example.com -> anne@example.com (1 request)",
			"               but a guard would hold the run: " + string(owlatsync.GuardRemovals) + ": too many",
		}},
		{"with memberships", explain.Tale{
			Entry: left, Remote: &owlat.Contact{Email: "ann@example.com", UpdatedAt: at},
			Members: &owlat.ContactPreferences{Topics: []owlat.TopicPreference{
				{ID: "k57news", Name: "News\u202e"}, {ID: "k57offers", Name: "Offers", Subscribed: true}, {ID: "k57own", Subscribed: true}, {ID: "k57quiet", Name: "Quiet"},
			}},
		}, []string{
			"first seen     " + when,
			"contact        c7, created by this sync",
			"               ann@example.com",
			"standing       applied, last recorded " + when,
			"in Owlat       as recorded here, last changed " + when,
			`topics         k57news ("News\u202e"): put on it ` + when + `; the row's column "news" said yes; should be on it; in Owlat now: not on it: they have left since, or were taken off in Owlat`,
			"               k57gone: the person left it (a webhook told so " + when + ") (the configuration does not have this topic any more); in Owlat now: there is no such topic any more: no run can put anybody on it",
			"               k57offers (Offers): not decided yet; the next run that applies the row does; in Owlat now: on it: no run has decided about it yet",
			"               k57own: on it in Owlat now; this sync has nothing to do with it",
		}},
		{"unknown to the ledger, and gone", explain.Tale{Planned: true}, []string{
			"first seen     not recorded: no run has applied the row yet",
			"contact        none yet",
			"in the source  not there",
			"next run       nothing: the row is not in the source any more (on_missing: ignore)",
		}},
		{"when the plan cannot be made", explain.Tale{PlanErr: errors.New("read the source: broken")}, []string{
			"first seen     not recorded: no run has applied the row yet",
			"contact        none yet",
			"next run       not known, because the plan could not be made",
		}},
	} {
		tale := test.tale
		tale.Sync, tale.Key = sync, "7"
		var text strings.Builder
		if err := Show(render.To{W: &text}, &tale); err != nil {
			t.Fatal(err)
		}
		want := "users, row 7\n"
		for _, line := range test.want {
			want += "  " + line + "\n"
		}
		if text.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, text.String(), want)
		}
	}
}

func TestTaleAsJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		tale explain.Tale
		want string // a part of it
	}{
		{"nothing known", explain.Tale{}, `{"type":"row","sync":"users","key":"7","in_step":false,"failures":[],"topics":[],"history":[],"next":[],"hold":[]}`},
		{"not to be looked at", explain.Tale{RemoteErr: errors.New("no"), PlanErr: errors.New("why")}, `"owlat":{"found":false,"error":"no"},"next":[],"hold":[],"error":"why"}`},
		{"has left", explain.Tale{
			Entry:   &ledger.Entry{Memberships: []ledger.Membership{{Topic: "k57news", State: ledger.MemberAdded, Consent: true}}},
			Members: &owlat.ContactPreferences{Topics: []owlat.TopicPreference{{ID: "k57news", Name: "News"}}},
		}, `"name":"News","on_it":false,"should":"on","finding":"left","told":"they have left since, or were taken off in Owlat"}]`},
		{"deleted in Owlat", explain.Tale{RemoteErr: &owlat.Error{Category: owlat.CategoryNotFound, StatusCode: 404, Message: "x"}}, `"owlat":{"found":false},`},
	} {
		tale := test.tale
		tale.Sync, tale.Key = config.Sync{Name: "users"}, "7"
		var out strings.Builder
		if err := Show(render.To{W: &out, JSON: true}, &tale); err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(out.String())) || !strings.Contains(out.String(), test.want) {
			t.Errorf("%s: %s lacks %s", test.name, out.String(), test.want)
		}
	}
}
