package entry

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
)

// arguments is how many values an entry has, including its sync.
const arguments = 19 + owlatsync.NumContactFields

// The statements that put an entry into its table. Their arguments are those of Values.Bind.
var (
	Insert = `INSERT INTO entries (sync, key, contact_id, email, identity, origin,
		members, intent, failure, state, first_seen, changed_at, events, fingerprint, doubt, witness, intent_local,
		departed, asked` + ForEachField(", %[1]s") + `)
	VALUES (` + Places(arguments) + `)`
	Upsert = Insert + `
	ON CONFLICT (sync, key) DO UPDATE SET contact_id = excluded.contact_id, email = excluded.email,
		identity = excluded.identity, origin = excluded.origin, members = excluded.members, memberships = NULL, intent = excluded.intent,
		failure = excluded.failure, state = excluded.state, first_seen = excluded.first_seen,
		changed_at = excluded.changed_at, events = excluded.events, fingerprint = excluded.fingerprint, doubt = excluded.doubt,
		witness = excluded.witness, intent_local = excluded.intent_local, departed = excluded.departed, asked = excluded.asked` +
		ForEachField(", %[1]s = excluded.%[1]s")
)

// PageSize is how many entries are read at once, so that no read transaction outlives a page.
const PageSize = 512

// NumberedQuery finds n entries by their ids. The plus keeps SQLite from reading all entries of the sync in place of these.
func NumberedQuery(n int) string {
	return "SELECT " + Columns + " FROM entries e WHERE e.id IN (" + Places(n) + ") AND +e.sync = (SELECT id FROM syncs WHERE name = ?)"
}

// Conditions of pages. Each repeats the condition of its index word for word, so that SQLite uses the index.
const (
	OpenEntries    = "e.state = ?3 AND e.state <> 0 AND e.id > ?2 ORDER BY e.id"
	PendingEntries = "e.asked IS NOT NULL AND (e.asked, e.id) < (?2, ?3) ORDER BY e.asked DESC, e.id DESC"
	departedOrder  = " AND (e.departed, e.id) > (?3, ?4) AND e.departed IS NOT NULL ORDER BY e.departed, e.id"
	DepartedBefore = "e.departed < ?2" + departedOrder
	DepartedAfter  = "?2 = ?2" + departedOrder
)

// PageQuery finds the next entries of a sync that meet one of the conditions.
func PageQuery(condition string) string {
	return "SELECT " + Columns + ` FROM entries e
		WHERE e.sync = (SELECT id FROM syncs WHERE name = ?1) AND ` + condition + fmt.Sprintf(" LIMIT %d", PageSize)
}

// ContactIn is the condition that an entry of the table stands for one of n contacts. Its arguments are their ids, twice. It repeats the
// expression of the index on the ends of ids.
func ContactIn(table string, n int) string {
	ends := strings.TrimSuffix(strings.Repeat("substr(?, -8),", n), ",")
	return "substr(" + table + ".contact_id, -8) IN (" + ends + ") AND " + table + ".contact_id IN (" + Places(n) + ")"
}

// Places returns n parameters. They have no numbers: SQLite would search all parameters for each number.
func Places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// MaxParameters keeps a query far below SQLite's limit of 32 766 parameters.
const MaxParameters = 500

// Arguments returns texts as arguments of a query, after those before.
func Arguments(texts []string, before ...any) []any {
	for _, t := range texts {
		before = append(before, t)
	}
	return before
}

// YieldAll yields the entries of a page, or the error, and reports whether the caller wants more.
func YieldAll(page []*ledger.Entry, err error, yield func(*ledger.Entry, error) bool) bool {
	if err != nil {
		yield(nil, err)
		return false
	}
	for _, e := range page {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}
