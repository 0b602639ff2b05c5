package home

import (
	"owlatsync"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"testing"
)

// TestFoundNothing tells keys that nobody knows from those of rows that were read, or that have left the source.
func TestFoundNothing(t *testing.T) {
	t.Parallel()
	book := memory.New()
	defer book.Close()
	lock, err := book.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "2", Email: "bob@example.com"}, Event: "created"}); err != nil {
		t.Fatal(err)
	}
	r := &runner{ledger: bookOf{book}, astray: func(string) {}}
	byKey := &owlatsync.Reading{Mode: owlatsync.ReadKeys}
	for _, c := range []struct {
		name   string
		keys   []string
		report *owlatsync.Report
		want   bool
	}{
		{"a table", []string{"users"}, &owlatsync.Report{Reading: byKey}, true},
		{"a row that left", []string{"2"}, &owlatsync.Report{Reading: byKey}, false},
		{"a table and a row that left", []string{"2", "users"}, &owlatsync.Report{Reading: byKey}, false},
		{"a row that was read", []string{"3"}, &owlatsync.Report{Reading: byKey, Rows: 1}, false},
		{"everything was read, and there is nothing", []string{"3"}, &owlatsync.Report{}, false},
		{"changes were read", []string{"3"}, &owlatsync.Report{Reading: &owlatsync.Reading{Mode: owlatsync.ReadChanges}}, false},
		{"no keys", nil, &owlatsync.Report{Reading: byKey}, false},
		{"no report", []string{"users"}, nil, false},
	} {
		if got := r.foundNothing(t.Context(), &turns.Job{Request: turns.Request{Sync: "users", Keys: c.keys}}, c.report); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if (&runner{ledger: bookOf{book}}).foundNothing(t.Context(), &turns.Job{Request: turns.Request{Sync: "users", Keys: []string{"users"}}}, &owlatsync.Report{Reading: byKey}) {
		t.Error("it is found although nobody wants to know")
	}
}
