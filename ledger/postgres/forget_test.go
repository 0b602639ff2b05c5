package postgres

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// tracesIn looks for texts in everything that the database holds, as rows and as the bytes of the tables' pages, and returns where it found
// any.
func tracesIn(t *testing.T, d *Database, texts ...string) (found []string) {
	t.Helper()
	ctx := t.Context()
	var tables []string
	rows, err := d.db.Pool.Query(ctx, "SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'", d.Schema())
	err = server.EachRow(rows, err, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	if err != nil || len(tables) < 20 {
		t.Fatalf("tables %v: %v", tables, err)
	}
	for _, table := range tables {
		for _, text := range texts {
			var n int
			name := d.Schema() + "." + table
			if err := d.db.Pool.QueryRow(ctx, "SELECT count(*) FROM "+name+" r WHERE position($1 IN r::text) > 0 OR position($2 IN r::text) > 0", text, hex.EncodeToString([]byte(text))).Scan(&n); err != nil {
				t.Fatal(table, err)
			}
			if n > 0 {
				found = append(found, table+" has rows with "+text)
			}
			var pages []byte
			err := d.db.Pool.QueryRow(ctx, `SELECT coalesce(string_agg(t_data, ''::bytea), ''::bytea) FROM generate_series(0, pg_relation_size($1::text::regclass) / 8192 - 1) AS p,
				heap_page_items(get_raw_page($1::text, p))`, name).Scan(&pages)
			if err != nil {
				t.Fatal(table, err)
			}
			if bytes.Contains(pages, []byte(text)) {
				found = append(found, table+" has pages with "+text)
			}
		}
	}
	return found
}

// TestForgetPersonLeavesNoTrace has a person everywhere where one can be, among others, and looks for them in the pages of the tables.
func TestForgetPersonLeavesNoTrace(t *testing.T) {
	t.Parallel()
	const address, contact = "zebedee@example.com", "contact-zebedee"
	d := openDatabase(t, migrated.Postgres(t))
	if _, err := d.db.Pool.Exec(t.Context(), "CREATE EXTENSION pageinspect"); err != nil {
		t.Skipf("the server has no pageinspect: %v", err)
	}
	l := openLedger(t, d, "acme")
	at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	k := takeLock(t, l)
	put(t, k, "before")
	theirs := entryOf("7")
	theirs.ContactID, theirs.Email, theirs.Identity = contact, address, address
	other := entryOf("other")
	other.Failure = &ledger.Failure{Class: ledger.GiveUp, Reason: "the contact " + contact + " has " + address}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // each makes a version of the row that must go too
		must(k.Record(t.Context(), ledger.Record{Sync: "users", Entry: theirs, Event: "created"}, ledger.Record{Sync: "users", Entry: other, Event: "met", Note: "beside " + address},
			ledger.Record{Sync: "plain", Entry: &ledger.Entry{Key: address}, Event: "met"}))
	}
	must(k.Remove(t.Context(), "plain", []string{address})) // its history stays
	must(k.SetBookmark(t.Context(), "users", ledger.Bookmark{Mark: "m", Again: []string{address}}))
	id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Part: owlatsync.Part{Only: []string{address, "9"}}})
	must(err)
	must(k.KeepPlan(t.Context(), id, []ledger.PlanItem{{Key: "7", Body: []byte(address)}, {Key: "9", Addresses: []uint64{ledger.HashText(address)}, Body: []byte("{}")}}))
	must(k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusHeld, PlanForm: 1, Message: "such as " + address,
		Guards: []owlatsync.Hit{{Reason: "of " + address}}, Part: owlatsync.Part{Only: []string{address, "9"}}}}))
	must(k.Release())
	news := newsOf(1, contact)
	news.Feedback.Email, news.Feedback.Detail = address, "550 "+address
	news.Known, news.Suppressions = map[string]string{address: contact}, []ledger.Suppression{{Email: address, Reason: ledger.Complained, At: at}}
	news.Deliveries = append(news.Deliveries, ledger.Delivery{Target: "crm", Person: address})
	_, err = l.TakeIn(t.Context(), news)
	must(err)
	someone := newsOf(2, "someone")
	someone.Feedback.Detail = "forwarded to " + address
	_, err = l.TakeIn(t.Context(), someone)
	must(err)
	must(l.Undelivered(t.Context(), 3, "not "+address, true, at))

	if found := tracesIn(t, d, address, contact); len(found) < 10 {
		t.Fatalf("before, there is a trace only in %v", found)
	}
	rows, err := l.ForgetPerson(t.Context(), address)
	if err != nil || rows != 1 {
		t.Fatalf("%d rows: %v", rows, err)
	}
	if found := tracesIn(t, d, address, contact); len(found) > 0 {
		t.Errorf("traces are left:\n%s", strings.Join(found, "\n"))
	}
	entries, err := l.Entries(t.Context(), "users", []string{"before", "other"})
	if err != nil || len(entries) != 2 || entries["other"].Failure.Reason != "the contact (forgotten) has (forgotten)" {
		t.Errorf("others: %+v, %v", entries["other"], err)
	}
	if forgotten, err := l.Forgotten(t.Context(), []string{address}); err != nil || !forgotten[address] {
		t.Errorf("forgotten %v: %v", forgotten, err)
	}
	if optOuts, err := l.OptOuts(t.Context(), []string{contact}); err != nil || len(optOuts) != 2 {
		t.Errorf("opt-outs %v: %v", optOuts, err)
	}
}

// TestForgetPersonIsOfOneDeployment forgets somebody whom two deployments know.
func TestForgetPersonIsOfOneDeployment(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	one, two := openLedger(t, d, "one"), openLedger(t, d, "two")
	for _, l := range []*Ledger{one, two} {
		k := takeLock(t, l)
		put(t, k, "ada")
		if err := k.Release(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.TakeIn(t.Context(), newsOf(1, "ada")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := one.ForgetPerson(t.Context(), "ada@example.com"); err != nil || n != 1 {
		t.Fatalf("%d rows: %v", n, err)
	}
	mustHold(t, two, "ada")
	if told, err := two.Feedbacks(t.Context(), "", "", 0, 0); err != nil || len(told) != 1 {
		t.Errorf("feedback of the other %+v: %v", told, err)
	}
	if known, err := two.Known(t.Context(), []string{"ada@example.com"}); err != nil || len(known) != 1 {
		t.Errorf("known to the other %v: %v", known, err)
	}
	if forgotten, err := two.Forgotten(t.Context(), []string{"ada@example.com"}); err != nil || len(forgotten) > 0 {
		t.Errorf("forgotten by the other %v: %v", forgotten, err)
	}
	// The other may be imported into elsewhere while this one goes on.
	err := two.Snapshot(t.Context(), func(s ledger.Snapshot) error {
		n := 0
		for h, err := range s.Entries() {
			if err != nil || h.Entry.Key != "ada" {
				t.Errorf("entry %+v: %v", h.Entry, err)
			}
			n++
		}
		for range s.History() {
			n++
		}
		if n != 2 {
			t.Errorf("the snapshot has %d things", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
