package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/reconcile"
)

// troubled are a row that is tried again by the next run, one that is parked, and a lost answer.
func troubled() []reconcile.Trouble {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []reconcile.Trouble{
		{Sync: "users", Key: "1", Address: "ann@example.com", What: "row", Category: "internal", Reason: "Owlat failed", Attempts: 2, First: at, Last: at, NextTry: at},
		{Sync: "users", Key: "2\n", What: "row", Category: "invalid", Reason: "Owlat refused it", Attempts: 8, First: at, Last: at, Parked: true},
		{Sync: "users", Key: "3", Address: "cy@example.com", What: "event", Category: "event", Reason: "lost", Attempts: 1, First: at, Last: at, Parked: true},
		{Sync: "users", Position: "line 7", What: "invalid", Category: "source", Reason: "the row has no key", Parked: true},
	}
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	const csv = "sync,key,email,what,category,reason,attempts,first,last,next_try,parked,position\n" +
		"users,1,ann@example.com,row,internal,Owlat failed,2,2026-03-01T12:00:00Z,2026-03-01T12:00:00Z,2026-03-01T12:00:00Z,false,\n" +
		"users,\"2\n\",,row,invalid,Owlat refused it,8,2026-03-01T12:00:00Z,2026-03-01T12:00:00Z,,true,\n" +
		"users,3,cy@example.com,event,event,lost,1,2026-03-01T12:00:00Z,2026-03-01T12:00:00Z,,true,\n" +
		"users,,,invalid,source,the row has no key,0,,,,true,line 7\n"
	var kept kept
	for _, test := range []struct {
		name string
		list func(*strings.Builder) *Troubles
		want string
	}{
		{"text", func(b *strings.Builder) *Troubles { return NewTroubles(To{W: b}) },
			"SYNC   KEY     ADDRESS          WHAT     ATTEMPTS  NEXT TRY         REASON\n" +
				"users  1       ann@example.com  row      2         next run         Owlat failed\n" +
				"users  \"2\\n\"   -                row      8         when it changes  Owlat refused it\n" +
				"users  3       cy@example.com   event    1         never            lost\n" +
				"users  line 7  -                invalid  0         when it changes  the row has no key\n\n" +
				"2 rows fail; 1 is tried again by the next run; 1 is left alone until the row changes, or \"owlat-sync retry KEY\" asks for it.\n" +
				"1 row cannot be sent until the source has changed.\n" +
				"1 outcome is unknown and never repeated; look in Owlat what arrived.\n"},
		{"JSON", func(b *strings.Builder) *Troubles { return NewTroubles(To{W: b, JSON: true}) },
			`{"type":"failure","sync":"users","key":"1","email":"ann@example.com","what":"row","category":"internal","reason":"Owlat failed","attempts":2,"first":"2026-03-01T12:00:00Z","last":"2026-03-01T12:00:00Z","next_try":"2026-03-01T12:00:00Z","parked":false}` + "\n" +
				`{"type":"failure","sync":"users","key":"2\n","what":"row","category":"invalid","reason":"Owlat refused it","attempts":8,"first":"2026-03-01T12:00:00Z","last":"2026-03-01T12:00:00Z","parked":true}` + "\n" +
				`{"type":"failure","sync":"users","key":"3","email":"cy@example.com","what":"event","category":"event","reason":"lost","attempts":1,"first":"2026-03-01T12:00:00Z","last":"2026-03-01T12:00:00Z","parked":true}` + "\n" +
				`{"type":"failure","sync":"users","key":"","position":"line 7","what":"invalid","category":"source","reason":"the row has no key","attempts":0,"parked":true}` + "\n"},
		{"CSV", func(b *strings.Builder) *Troubles { return NewTroublesCSV(To{W: b}) }, csv},
		{"a list", func(b *strings.Builder) *Troubles { return NewTroublesIn(To{W: b}, &kept) }, "written to kept.csv, with addresses: 4 lines\n"},
	} {
		var out strings.Builder
		list := test.list(&out)
		for _, trouble := range troubled() {
			if err := list.Row(trouble); err != nil {
				t.Fatal(err)
			}
		}
		if err := list.End(); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, out.String(), test.want)
		}
	}
	if len(kept) != 4 || !slices.Equal(kept[0], troubleFields(troubled()[0])) {
		t.Errorf("the list holds %q", kept)
	}
}

func TestNoTroubles(t *testing.T) {
	t.Parallel()
	var text, json strings.Builder
	if err := NewTroubles(To{W: &text}).End(); err != nil || text.String() != "Nothing fails.\n" {
		t.Errorf("%q, %v", text.String(), err)
	}
	if err := NewTroubles(To{W: &json, JSON: true}).End(); err != nil || json.String() != "" {
		t.Errorf("%q, %v", json.String(), err)
	}
}

// kept is a list in memory.
type kept [][]string

func (*kept) Path() string             { return "kept.csv" }
func (k *kept) Write(fields ...string) { *k = append(*k, fields) }
