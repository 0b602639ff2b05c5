// Package erase erases a person from the tables of a ledger.
package erase

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/person"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
	"owlatsync/ledger/sqlite/internal/pack"
)

// Erasure erases a person from a ledger in one transaction.
type Erasure struct {
	dbfile.Tx
	person.Person
	packs *pack.Changed
}

// Find finds the entries with the address, and entries for the same contacts under another address. What Owlat told ties addresses
// and contacts too.
func Find(t dbfile.Tx, packs *pack.Changed, address string) (*Erasure, error) {
	p := person.Person{Addresses: []string{address}, Rows: make(map[person.Row]int64)}
	keep := func(id int64, r person.Row, contact, email, identity sql.NullString) {
		p.Rows[r] = id
		p.Contacts = person.AppendNew(p.Contacts, contact.String)
		p.Addresses = person.AppendNew(p.Addresses, email.String)
		p.Addresses = person.AppendNew(p.Addresses, identity.String)
	}
	scan := func(rows *sql.Rows, wanted func(key, email, identity string) bool) error {
		var id int64
		var r person.Row
		var contact, email, identity sql.NullString
		if err := rows.Scan(&id, &r.Sync, &r.Key, &contact, &email, &identity); err != nil {
			return err
		}
		if wanted(r.Key, email.String, identity.String) {
			keep(id, r, contact, email, identity)
		}
		return nil
	}
	if err := heard.ContactsOf(t, &p); err != nil {
		return nil, err
	}
	const columns = "SELECT id, sync, key, contact_id, email, identity FROM entries WHERE "
	err := t.Each(columns+"email = ?1 OR identity = ?1 OR instr(key, '@')", []any{address}, func(rows *sql.Rows) error {
		return scan(rows, func(key, email, identity string) bool {
			return email == address || identity == address || person.Fold(key) != person.Fold(email) && person.KeyNames(key, address)
		})
	})
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(slices.Clone(p.Contacts), entry.MaxParameters) {
		err := t.Each(columns+entry.ContactIn("entries", len(chunk)), entry.Arguments(chunk, entry.Arguments(chunk)...), func(rows *sql.Rows) error {
			return scan(rows, func(string, string, string) bool { return true })
		})
		if err != nil {
			return nil, err
		}
	}
	if err := heard.AddressesOf(t, &p); err != nil {
		return nil, err
	}
	return &Erasure{Tx: t, Person: p, packs: packs}, nil
}

// Erase deletes everything that the tables hold about the person. Under the secret it keeps a hash of each address, with its
// suppression, and under a hash of the contact the topics that the person left: otherwise a topic that adds existing contacts would
// put the person back (Invariant 1).
func (x *Erasure) Erase(secret []byte) error {
	if err := x.eraseRows(); err != nil {
		return err
	}
	if err := x.eraseHistory(); err != nil {
		return err
	}
	if err := x.erasePlans(); err != nil {
		return err
	}
	if err := x.eraseFromParts(); err != nil {
		return err
	}
	if err := x.eraseFromTexts(); err != nil {
		return err
	}
	if err := x.Exec("DELETE FROM bookmarks"); err != nil { // they name rows
		return err
	}
	if err := heard.Erase(x.Tx, &x.Person, secret); err != nil {
		return err
	}
	for _, address := range x.Addresses {
		if err := x.Exec("INSERT INTO forgotten (hash) VALUES (?1) ON CONFLICT DO NOTHING", ledger.HashAddress(secret, address)); err != nil {
			return err
		}
	}
	return nil
}

// BlankLast goes before deletions of history: it turns the latest line into an empty one, so that no other line gets its number.
// The empty line belongs to no sync, so nobody sees it.
const BlankLast = "UPDATE history SET sync = 0, key = '', at = 0, run = 0, event = '', note = '', phrase = NULL WHERE id = (SELECT max(id) FROM history) AND sync <> 0 AND "

func (x *Erasure) eraseRows() error {
	for r, id := range x.Rows {
		if err := x.packs.Mark(x.Tx, r.Sync, id, entry.NoMark); err != nil {
			return err
		}
		if err := x.Exec("DELETE FROM entries WHERE sync = ?1 AND id = ?2", r.Sync, id); err != nil {
			return err
		}
		if err := x.Exec(BlankLast+"sync = ?1 AND key = ?2", r.Sync, r.Key); err != nil {
			return err
		}
		if err := x.Exec("DELETE FROM history WHERE sync = ?1 AND key = ?2", r.Sync, r.Key); err != nil {
			return err
		}
	}
	return nil
}

// eraseHistory deletes lines whose row no longer has an entry and whose key names the person's address.
func (x *Erasure) eraseHistory() error {
	var ids []int64
	err := x.Each(`SELECT id, key FROM history h WHERE instr(key, '@')
		AND NOT EXISTS (SELECT 1 FROM entries WHERE sync = h.sync AND key = h.key)`, nil, func(rows *sql.Rows) error {
		var id int64
		var key string
		err := rows.Scan(&id, &key)
		if err == nil && x.InKey(key) {
			ids = append(ids, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := x.Exec(BlankLast+"id = ?1", id); err != nil {
			return err
		}
		if err := x.Exec("DELETE FROM history WHERE id = ?1 AND sync <> 0", id); err != nil {
			return err
		}
	}
	return nil
}

// erasePlans deletes the planned steps of the person's rows, even of rows that the ledger does not know.
func (x *Erasure) erasePlans() error {
	var steps [][]any
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
	err := x.Each("SELECT p.run, p.phase, p.ord, p.seq, r.sync, p.key, p.body, p.Addresses FROM plan p LEFT JOIN runs r ON r.id = p.run", nil,
		func(rows *sql.Rows) error {
			var run, phase, order, seq int64
			var sync sql.NullInt64
			var key string
			var body, addresses sql.RawBytes
			if err := rows.Scan(&run, &phase, &order, &seq, &sync, &key, &body, &addresses); err != nil {
				return err
			}
			_, theirs := x.Rows[person.Row{Sync: sync.Int64, Key: key}]
			theirs = theirs || slices.ContainsFunc(entry.DecodeHashes(addresses), func(h uint64) bool { return slices.Contains(hashes, h) })
			if !theirs && bytes.ContainsRune(body, '@') {
				folded := person.Fold(string(body))
				theirs = slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(folded, s) })
			}
			if theirs || x.InKey(key) {
				steps = append(steps, []any{run, phase, order, seq})
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := x.Exec("DELETE FROM plan WHERE run = ?1 AND phase = ?2 AND ord = ?3 AND seq = ?4", step...); err != nil {
			return err
		}
	}
	return nil
}

// eraseFromParts replaces the keys of the person's rows in the parts of runs. It must not remove them: a part without keys means
// all rows.
func (x *Erasure) eraseFromParts() error {
	changed := make(map[int64]entry.Part)
	err := x.Each("SELECT id, sync, part FROM runs WHERE part IS NOT NULL", nil, func(rows *sql.Rows) error {
		var id, sync int64
		var text string
		if err := rows.Scan(&id, &sync, &text); err != nil {
			return err
		}
		var part entry.Part
		if err := json.Unmarshal([]byte(text), &part); err != nil {
			return fmt.Errorf("%w (the part of a run cannot be read)", ledger.ErrCorrupt)
		}
		for i, key := range part.Only {
			if _, theirs := x.Rows[person.Row{Sync: sync, Key: string(key)}]; theirs || x.InKey(string(key)) {
				part.Only[i], changed[id] = ledger.ForgottenText, part
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, part := range changed {
		text, err := json.Marshal(part)
		if err != nil {
			return err
		}
		if err := x.Exec("UPDATE runs SET part = ?2 WHERE id = ?1", id, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// eraseFromTexts removes the person's addresses and contacts from texts about other rows and about runs.
func (x *Erasure) eraseFromTexts() error {
	blot, err := x.Blotter()
	if err != nil {
		return err
	}
	for _, column := range []struct{ read, write string }{
		{"SELECT id, note FROM history WHERE note <> ''", "UPDATE history SET note = ?2 WHERE id = ?1"},
		{"SELECT id, detail FROM feedback WHERE detail <> ''", "UPDATE feedback SET detail = ?2 WHERE id = ?1"},
		{"SELECT id, error FROM deliveries WHERE error <> ''", "UPDATE deliveries SET error = ?2 WHERE id = ?1"},
		{"SELECT id, who FROM audit WHERE instr(who, '@')", "UPDATE audit SET who = ?2 WHERE id = ?1"},
		{"SELECT id, message FROM runs WHERE message <> ''", "UPDATE runs SET message = ?2 WHERE id = ?1"},
	} {
		if err := rewrite(x.Tx, column.read, column.write, func(text string) (string, error) { return blot(text), nil }); err != nil {
			return err
		}
	}
	err = rewrite(x.Tx, "SELECT id, guards FROM runs WHERE guards IS NOT NULL", "UPDATE runs SET guards = ?2 WHERE id = ?1",
		func(text string) (string, error) {
			var hits []owlatsync.Hit
			if err := json.Unmarshal([]byte(text), &hits); err != nil {
				return "", fmt.Errorf("%w (the guards of a run cannot be read)", ledger.ErrCorrupt)
			}
			for i := range hits {
				hits[i].Reason = blot(hits[i].Reason)
			}
			again, err := json.Marshal(hits)
			return string(again), err
		})
	if err != nil {
		return err
	}
	return rewrite(x.Tx, "SELECT id, failure FROM entries WHERE failure IS NOT NULL", "UPDATE entries SET failure = ?2 WHERE id = ?1",
		func(text string) (string, error) {
			var f ledger.Failure
			if err := json.Unmarshal([]byte(text), &f); err != nil {
				return "", fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
			}
			reason := blot(f.Reason)
			if reason == f.Reason {
				return text, nil
			}
			f.Reason = reason
			again, err := json.Marshal(f)
			return string(again), err
		})
}

// rewrite replaces every text of a column by what change returns. Read selects the id of the row and the text.
func rewrite(t dbfile.Tx, read, write string, change func(string) (string, error)) error {
	changed := make(map[int64]string)
	err := t.Each(read, nil, func(rows *sql.Rows) error {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		again, err := change(text)
		if err == nil && again != text {
			changed[id] = again
		}
		return err
	})
	if err != nil {
		return err
	}
	for id, text := range changed {
		if err := t.Exec(write, id, text); err != nil {
			return err
		}
	}
	return nil
}
