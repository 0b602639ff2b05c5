// Package erase erases a person from the rows of a deployment.
package erase

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/person"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// Erasure erases a person in one transaction.
type Erasure struct {
	pgrow.Tx
	person.Person // Rows has the numbers of the entries
}

const (
	entryColumns = "SELECT e.sync, e.number, e.key, e.contact_id, e.email, e.identity FROM @entries e "
	// entriesOf reads all keys with an @, because a key may hold an address anywhere.
	entriesOf = entryColumns + `WHERE e.sync IN (SELECT id FROM @syncs WHERE deployment = $1)
		AND (e.email = $2::bytea OR e.identity = $2 OR position('@'::bytea IN e.key) > 0)`
	sharersOf = entryColumns + `WHERE e.deployment = $1 AND substring(e.contact_id FROM 1 FOR 64) = ANY ($3::bytea[]) AND e.contact_id = ANY ($2::bytea[])`
)

// Find finds the entries with the address, and entries for the same contacts under another address. What Owlat told ties addresses
// and contacts too.
func Find(t pgrow.Tx, address string) (*Erasure, error) {
	x := &Erasure{Tx: t, Person: person.Person{Addresses: []string{address}, Rows: make(map[person.Row]int64)}}
	if err := heard.ContactsOf(t, &x.Person); err != nil {
		return nil, err
	}
	err := x.find(entriesOf, []any{address}, func(key, email, identity string) bool {
		return email == address || identity == address || person.Fold(key) != person.Fold(email) && person.KeyNames(key, address)
	})
	if err != nil {
		return nil, err
	}
	if len(x.Contacts) > 0 {
		heads := make([]string, len(x.Contacts))
		for i, id := range x.Contacts {
			heads[i] = id[:min(len(id), 64)]
		}
		err := x.find(sharersOf, []any{pgrow.Bytes(x.Contacts), pgrow.Bytes(heads)}, func(string, string, string) bool { return true })
		if err != nil {
			return nil, err
		}
	}
	return x, heard.AddressesOf(t, &x.Person)
}

// find keeps those entries of a query that are wanted.
func (x *Erasure) find(query string, args []any, wanted func(key, email, identity string) bool) error {
	return x.Tx.Find(query, args, func(rows pgx.Rows) error {
		var r person.Row
		var number int64
		var contact, email, identity string
		if err := rows.Scan(&r.Sync, &number, &r.Key, &contact, &email, &identity); err != nil {
			return err
		}
		if wanted(r.Key, email, identity) {
			x.Rows[r] = number
			x.Contacts = person.AppendNew(x.Contacts, contact)
			x.Addresses = person.AppendNew(person.AppendNew(x.Addresses, email), identity)
		}
		return nil
	})
}

// Erase deletes everything that the tables hold about the person. Under the secret it keeps a hash of each address, with its
// suppression, and under a hash of the contact the topics that the person left: otherwise a topic that adds existing contacts would
// put the person back (Invariant 1).
func (x *Erasure) Erase(secret []byte) error {
	for _, erase := range []func() error{x.eraseRows, x.eraseHistory, x.erasePlans, x.eraseFromParts, x.eraseFromTexts} {
		if err := erase(); err != nil {
			return err
		}
	}
	// Bookmarks name rows.
	if _, err := x.Change("DELETE FROM @bookmarks WHERE sync IN (SELECT id FROM @syncs WHERE deployment = $1)"); err != nil {
		return err
	}
	if err := heard.Erase(x.Tx, &x.Person, secret); err != nil {
		return err
	}
	hashes := make([]string, len(x.Addresses))
	for i, address := range x.Addresses {
		hashes[i] = string(ledger.HashAddress(secret, address))
	}
	_, err := x.Change("INSERT INTO @forgotten (deployment, hash) SELECT $1, unnest($2::bytea[]) ON CONFLICT DO NOTHING", pgrow.Bytes(hashes))
	return err
}

// eraseRows deletes the entries, their marks and their history.
func (x *Erasure) eraseRows() error {
	rows := slices.SortedFunc(maps.Keys(x.Rows), func(a, b person.Row) int {
		if a.Sync != b.Sync {
			return int(min(1, max(-1, a.Sync-b.Sync)))
		}
		return int(min(1, max(-1, x.Rows[a]-x.Rows[b])))
	})
	syncs, numbers, keys, marks := make([]int64, len(rows)), make([]int64, len(rows)), make([]string, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		syncs[i], numbers[i], keys[i], marks[i] = r.Sync, x.Rows[r], r.Key, entry.NoMark[:]
	}
	if _, err := x.Change("SELECT @mark($2, $3, $4) WHERE $1::bigint <> 0", syncs, numbers, marks); err != nil {
		return err
	}
	if _, err := x.Change(`DELETE FROM @entries e USING unnest($2::bigint[], $3::bigint[]) AS u (sync, number)
		WHERE e.deployment = $1 AND e.sync = u.sync AND e.number = u.number`, syncs, numbers); err != nil {
		return err
	}
	_, err := x.Change(`DELETE FROM @history h USING unnest($2::bigint[], $3::bytea[]) AS u (sync, key)
		WHERE h.deployment = $1 AND h.sync = u.sync AND substring(h.key FROM 1 FOR 64) = substring(u.key FROM 1 FOR 64) AND h.key = u.key`, syncs, pgrow.Bytes(keys))
	return err
}

// eraseHistory deletes lines whose row no longer has an entry and whose key names the person's address.
func (x *Erasure) eraseHistory() error {
	var numbers []int64
	err := x.Tx.Find(`SELECT number, key FROM @history h WHERE deployment = $1 AND position('@'::bytea IN key) > 0 AND NOT EXISTS (SELECT 1 FROM @entries e
		WHERE e.sync = h.sync AND substring(e.key FROM 1 FOR 64) = substring(h.key FROM 1 FOR 64) AND e.key = h.key)`, nil, func(rows pgx.Rows) error {
		var number int64
		var key string
		err := rows.Scan(&number, &key)
		if err == nil && x.InKey(key) {
			numbers = append(numbers, number)
		}
		return err
	})
	if err == nil && len(numbers) > 0 {
		_, err = x.Change("DELETE FROM @history WHERE deployment = $1 AND number = ANY ($2::bigint[])", numbers)
	}
	return err
}

// erasePlans deletes the planned steps of the person's rows, even of rows that the ledger does not know.
func (x *Erasure) erasePlans() error {
	var texts []string // the addresses, plain and as JSON escapes them
	var hashes []uint64
	for _, address := range x.Addresses {
		quoted, err := json.Marshal(address)
		if err != nil {
			return err
		}
		hashes = append(hashes, ledger.HashText(address))
		texts = person.AppendNew(person.AppendNew(texts, person.Fold(address)), person.Fold(strings.Trim(string(quoted), `"`)))
	}
	var places [4][]int64 // run, phase, ord, seq
	err := x.Tx.Find(`SELECT p.run, p.phase, p.ord, p.seq, coalesce(r.sync, 0), p.key, p.body, p.addresses FROM @plan p
		LEFT JOIN @runs r ON r.deployment = $1 AND r.id = p.run WHERE p.deployment = $1`, nil, func(rows pgx.Rows) error {
		var place [4]int64
		var sync int64
		var key string
		var body, addresses []byte
		if err := rows.Scan(&place[0], &place[1], &place[2], &place[3], &sync, &key, &body, &addresses); err != nil {
			return err
		}
		_, theirs := x.Rows[person.Row{Sync: sync, Key: key}]
		theirs = theirs || slices.ContainsFunc(entry.DecodeHashes(addresses), func(h uint64) bool { return slices.Contains(hashes, h) })
		if !theirs && bytes.ContainsRune(body, '@') {
			folded := person.Fold(string(body))
			theirs = slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(folded, s) })
		}
		if theirs || x.InKey(key) {
			for i := range places {
				places[i] = append(places[i], place[i])
			}
		}
		return nil
	})
	if err == nil && len(places[0]) > 0 {
		_, err = x.Change(`DELETE FROM @plan p USING unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS u (run, phase, ord, seq)
			WHERE p.deployment = $1 AND p.run = u.run AND p.phase = u.phase AND p.ord = u.ord AND p.seq = u.seq`, places[0], places[1], places[2], places[3])
	}
	return err
}

// eraseFromParts replaces the keys of the person's rows in the parts of runs. It must not remove them: a part without keys means
// all rows.
func (x *Erasure) eraseFromParts() error {
	return x.rewrite("runs", "part", "sync", func(sync int64, text []byte) ([]byte, error) {
		var part entry.Part
		if err := json.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("%w (the part of a run cannot be read)", ledger.ErrCorrupt)
		}
		changed := false
		for i, key := range part.Only {
			if _, theirs := x.Rows[person.Row{Sync: sync, Key: string(key)}]; theirs || x.InKey(string(key)) {
				part.Only[i], changed = ledger.ForgottenText, true
			}
		}
		if !changed {
			return text, nil
		}
		return json.Marshal(part)
	})
}

// eraseFromTexts removes the person's addresses and contacts from texts about other rows and about runs.
func (x *Erasure) eraseFromTexts() error {
	blot, err := x.Blotter()
	if err != nil {
		return err
	}
	blotted := func(_ int64, text []byte) ([]byte, error) { return []byte(blot(string(text))), nil }
	for _, of := range []struct {
		table, column string
		change        func(int64, []byte) ([]byte, error)
	}{
		{"history", "note", blotted}, {"feedback", "detail", blotted}, {"deliveries", "error", blotted}, {"runs", "message", blotted}, {"audit", "who", blotted},
		{"runs", "guards", func(_ int64, text []byte) ([]byte, error) {
			var hits []owlatsync.Hit
			if err := json.Unmarshal(text, &hits); err != nil {
				return nil, fmt.Errorf("%w (the guards of a run cannot be read)", ledger.ErrCorrupt)
			}
			for i := range hits {
				hits[i].Reason = blot(hits[i].Reason)
			}
			return json.Marshal(hits)
		}},
		{"entries", "failure", func(_ int64, text []byte) ([]byte, error) {
			var f ledger.Failure
			if err := json.Unmarshal(text, &f); err != nil {
				return nil, fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
			}
			reason := blot(f.Reason)
			if reason == f.Reason {
				return text, nil
			}
			f.Reason = reason
			return json.Marshal(f)
		}},
	} {
		if err := x.rewrite(of.table, of.column, "0::bigint", of.change); err != nil {
			return err
		}
	}
	return nil
}

// numberOf is the column that tells the rows of a table apart, within the deployment or, of entries, within a sync.
var numberOf = map[string]string{"history": "number", "audit": "number", "feedback": "id", "deliveries": "id", "runs": "id", "entries": "number"}

// rewrite replaces every text of a column by what change returns, which gets another column too.
func (x *Erasure) rewrite(table, column, beside string, change func(beside int64, text []byte) ([]byte, error)) error {
	number, sync, of := numberOf[table], "0::bigint", "deployment = $1"
	if table == "entries" {
		sync, of = "sync", "sync IN (SELECT id FROM @syncs WHERE deployment = $1)"
	}
	var syncs, numbers []int64
	var texts [][]byte
	err := x.Tx.Find(fmt.Sprintf("SELECT %s, %s, %s, %s FROM @%s WHERE %s AND %[4]s IS NOT NULL AND %[4]s <> ''", sync, number, beside, column, table, of), nil,
		func(rows pgx.Rows) error {
			var s, n, b int64
			var text []byte
			if err := rows.Scan(&s, &n, &b, &text); err != nil {
				return err
			}
			again, err := change(b, text)
			if err == nil && !bytes.Equal(again, text) {
				syncs, numbers, texts = append(syncs, s), append(numbers, n), append(texts, again)
			}
			return err
		})
	if err != nil || len(numbers) == 0 {
		return err
	}
	same := ""
	if table == "entries" {
		same = " AND t.sync = u.sync"
	}
	_, err = x.Change(fmt.Sprintf(`UPDATE @%s t SET %s = u.text FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS u (sync, number, text)
		WHERE t.deployment = $1 AND t.%s = u.number%s`, table, column, number, same), syncs, numbers, texts)
	return err
}
