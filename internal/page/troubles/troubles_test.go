package troubles_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/page/troubles"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// TestRowsByReason: the largest group first, with what of its rows whoever looks may see.
func TestRowsByReason(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := func(key, reason string, minute int) reconcile.Trouble {
		return reconcile.Trouble{Sync: "users", Key: key, Address: key + "@example.com", What: "row", Category: ledger.CategoryTaken, Reason: reason, Attempts: minute, First: at.Add(time.Duration(minute) * time.Minute), Last: at.Add(time.Hour), NextTry: at.Add(time.Duration(60-minute) * time.Minute)}
	}
	name := func(_, key string) (id, address string) { return "id " + key, "/people/" + key }
	for _, test := range []struct {
		list *troubles.List
		rows string
	}{
		{&troubles.List{Most: 2, Name: name}, "[{id 1 1 1@example.com /people/1} {id 2 2 2@example.com /people/2}]"},
		{&troubles.List{Most: 2}, "[{ 1  } { 2  }]"},
		{&troubles.List{Most: 2, Personal: true}, "[{   } {   }]"},
	} {
		test.list.Add(row("9", "b", 9))
		for i, key := range []string{"1", "2", "3"} {
			test.list.Add(row(key, "a", 3-i))
		}
		all := test.list.Groups()
		if len(all) != 2 || all[0].Reason != "a" || all[0].Count != 3 || all[0].Hidden != 1 || !all[0].First.Equal(at.Add(time.Minute)) || !all[0].Next.Equal(at.Add(57*time.Minute)) || all[0].Attempts != 3 || !all[0].Retry {
			t.Fatalf("%+v", all)
		}
		var rows []any
		for _, r := range all[0].Rows {
			rows = append(rows, struct{ ID, Key, Email, Person string }{r.ID, r.Key, r.Email, r.Person})
		}
		if got := fmt.Sprint(rows); got != test.rows {
			t.Errorf("%s, want %s", got, test.rows)
		}
		if n := all[0].Shorten(1); n != 1 || len(all[0].Rows) != 1 || all[0].Hidden != 2 {
			t.Errorf("shortened to %d: %+v", n, all[0])
		}
	}
}

// TestKeysThatMayHoldAnAddress are for nobody who may not see addresses, also where the sync has keys of its own.
func TestKeysThatMayHoldAnAddress(t *testing.T) {
	t.Parallel()
	l := &troubles.List{Most: 9}
	for _, key := range []string{"ada@example.com", "7/ada%40example.com"} {
		l.Add(reconcile.Trouble{Key: key, What: "row"})
	}
	for _, row := range l.Groups()[0].Rows {
		if row.Key != "" || row.Email != "" {
			t.Errorf("%+v", row)
		}
	}
}

func TestOneGroupAlone(t *testing.T) {
	t.Parallel()
	event := reconcile.Trouble{Sync: "users", What: "event", Reason: "a"}
	l := &troubles.List{Most: 9, One: troubles.ID(event)}
	for _, other := range []reconcile.Trouble{{Sync: "users", What: "row", Reason: "a"}, {Sync: "web", What: "event", Reason: "a"}, {Sync: "users", What: "event", Reason: "b"}, event} {
		l.Add(other)
	}
	if all := l.Groups(); len(all) != 1 || all[0].Count != 1 || all[0].Retry {
		t.Errorf("%+v", all)
	}
}

// TestTheRowThatCountsInstead is named beside each row, so that rows with one reason stay together.
func TestTheRowThatCountsInstead(t *testing.T) {
	t.Parallel()
	name := func(sync, key string) (id, address string) { return "", "/people/" + sync + "/" + key }
	duplicate := func(key, instead string, differs bool) reconcile.Trouble {
		return reconcile.Trouble{Sync: "users", Key: key, Position: "row 190", What: "duplicate", Reason: "the row with key " + instead + " counts", Instead: &step.Instead{Key: instead, Differs: differs}}
	}
	taken := func(key, by string) reconcile.Trouble {
		return reconcile.Trouble{Sync: "users", Key: key, What: "row", Category: ledger.CategoryTaken, Reason: "it is the contact of row " + by, Holder: ledger.RowRef{Sync: "web", Key: by}}
	}
	l := &troubles.List{Most: 9, Name: name}
	for _, row := range []reconcile.Trouble{duplicate("1", "7", false), duplicate("2", "8", false), duplicate("3", "9", true), taken("4", "5"), taken("6", "7")} {
		l.Add(row)
	}
	var got []string
	for _, g := range l.Groups() {
		for _, r := range g.Rows {
			got = append(got, fmt.Sprintf("%s: %s%s by %s at %s", g.Reason, r.Key, r.Position, r.Other.Key, r.Other.Person))
		}
	}
	want := []string{
		"another row has the same address, and counts instead: 1 by 7 at /people/users/7", "another row has the same address, and counts instead: 2 by 8 at /people/users/8",
		"the contact of another row has the address in Owlat: 4 by 5 at /people/web/5", "the contact of another row has the address in Owlat: 6 by 7 at /people/web/7",
		"another row has the same address, and counts instead; the two consent to different topics: 3 by 9 at /people/users/9",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	viewer := &troubles.List{Most: 9, Personal: true}
	viewer.Add(duplicate("1", "7", false))
	if row := viewer.Groups()[0].Rows[0]; row.Key != "" || row.Other.Key != "" || row.Position != "row 190" {
		t.Errorf("a viewer sees %+v", row)
	}
}

// TestWhatIsDue is tried by the next run, whatever the time of the retry was.
func TestWhatIsDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := &troubles.List{Most: 9, Now: now}
	for minute, key := range []string{"asked for", "later"} {
		l.Add(reconcile.Trouble{Key: key, What: "row", Reason: key, NextTry: now.Add(time.Duration(minute) * time.Minute)})
	}
	for _, g := range l.Groups() {
		if want := g.Reason == "asked for"; g.Due != want || g.Rows[0].Due != want {
			t.Errorf("%s: %+v", g.Reason, g)
		}
	}
}
