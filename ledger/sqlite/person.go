package sqlite

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/ledger"
)

// forgottenText stands where an address was.
const forgottenText = "(forgotten)"

// row names a row of a sync.
type row struct {
	sync int64
	key  string
}

// person is what the ledger knows somebody by.
type person struct {
	addresses []string // normalised
	contacts  []string // ids
	rows      map[row]int64
}

// findPerson finds the entries that hold the address, and those that stand for the same contacts under another.
func (t *tx) findPerson(address string) (*person, error) {
	p := &person{addresses: []string{address}, rows: make(map[row]int64)}
	keep := func(id int64, r row, contact, email, identity sql.NullString) {
		p.rows[r] = id
		p.contacts = appendNew(p.contacts, contact.String)
		p.addresses = appendNew(p.addresses, email.String)
		p.addresses = appendNew(p.addresses, identity.String)
	}
	scan := func(rows *sql.Rows, wanted func(key, email, identity string) bool) error {
		var id int64
		var r row
		var contact, email, identity sql.NullString
		if err := rows.Scan(&id, &r.sync, &r.key, &contact, &email, &identity); err != nil {
			return err
		}
		if wanted(r.key, email.String, identity.String) {
			keep(id, r, contact, email, identity)
		}
		return nil
	}
	const columns = "SELECT id, sync, key, contact_id, email, identity FROM entries WHERE "
	err := t.each(columns+"email = ?1 OR identity = ?1 OR instr(key, '@')", []any{address}, func(rows *sql.Rows) error {
		return scan(rows, func(key, email, identity string) bool {
			return email == address || identity == address || fold(key) != fold(email) && keyNames(key, address)
		})
	})
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(slices.Clone(p.contacts), maxParameters) {
		err := t.each(columns+"contact_id IN ("+places(len(chunk))+")", arguments(chunk), func(rows *sql.Rows) error {
			return scan(rows, func(string, string, string) bool { return true })
		})
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

const hashOptOuts = `INSERT INTO opt_outs (contact_id, topic, at) SELECT ?2, topic, at FROM opt_outs WHERE contact_id = ?1
	ON CONFLICT (contact_id, topic) DO UPDATE SET at = max(at, excluded.at)`

// erase deletes what the ledger's tables hold of the person, but for a hash of each address and, under a hash of the
// contact, the topics that were left: else a topic that adds existing contacts would put the person back (Invariant 1).
func (t *tx) erase(p *person) error {
	if err := t.eraseRows(p); err != nil {
		return err
	}
	if err := t.eraseHistory(p); err != nil {
		return err
	}
	if err := t.erasePlans(p); err != nil {
		return err
	}
	if err := t.eraseFromTexts(p); err != nil {
		return err
	}
	if err := t.exec("DELETE FROM bookmarks"); err != nil { // they name rows
		return err
	}
	secret, err := t.ensureForgetSecret()
	if err != nil {
		return err
	}
	for _, id := range p.contacts {
		if err := t.exec(hashOptOuts, id, hashContact(secret, id)); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM opt_outs WHERE contact_id = ?1", id); err != nil {
			return err
		}
	}
	for _, address := range p.addresses {
		if err := t.exec("INSERT INTO forgotten (hash) VALUES (?1) ON CONFLICT DO NOTHING", hashAddress(secret, address)); err != nil {
			return err
		}
	}
	return nil
}

// ensureForgetSecret returns the ledger's secret and makes it on first use.
func (t *tx) ensureForgetSecret() ([]byte, error) {
	fresh := make([]byte, sha256.Size)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	err := t.exec("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", forgetSecret, hex.EncodeToString(fresh))
	if err != nil {
		return nil, err
	}
	var text string
	if err := t.row("SELECT value FROM meta WHERE name = ?1", []any{forgetSecret}, &text); err != nil {
		return nil, err
	}
	return decodeSecret(text)
}

func (t *tx) eraseRows(p *person) error {
	for r, id := range p.rows {
		if err := t.mark(r.sync, id, noMark); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM entries WHERE sync = ?1 AND id = ?2", r.sync, id); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM history WHERE sync = ?1 AND key = ?2", r.sync, r.key); err != nil {
			return err
		}
	}
	return nil
}

// eraseHistory deletes the lines of rows that the ledger has no entry of any more and whose key is the person's address.
func (t *tx) eraseHistory(p *person) error {
	var ids []int64
	err := t.each(`SELECT id, key FROM history h WHERE instr(key, '@')
		AND NOT EXISTS (SELECT 1 FROM entries WHERE sync = h.sync AND key = h.key)`, nil, func(rows *sql.Rows) error {
		var id int64
		var key string
		err := rows.Scan(&id, &key)
		if err == nil && p.inKey(key) {
			ids = append(ids, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.exec("DELETE FROM history WHERE id = ?1", id); err != nil {
			return err
		}
	}
	return nil
}

// erasePlans deletes the planned steps of the person's rows, known to the ledger or not.
func (t *tx) erasePlans(p *person) error {
	var steps [][]any
	var texts []string // as they stand in JSON
	for _, address := range p.addresses {
		quoted, err := json.Marshal(address)
		if err != nil {
			return err
		}
		texts = appendNew(appendNew(texts, fold(address)), fold(strings.Trim(string(quoted), `"`)))
	}
	err := t.each("SELECT p.run, p.phase, p.ord, p.seq, r.sync, p.key, p.body FROM plan p LEFT JOIN runs r ON r.id = p.run", nil,
		func(rows *sql.Rows) error {
			var run, phase, order, seq int64
			var sync sql.NullInt64
			var key string
			var body sql.RawBytes
			if err := rows.Scan(&run, &phase, &order, &seq, &sync, &key, &body); err != nil {
				return err
			}
			_, theirs := p.rows[row{sync.Int64, key}]
			if !theirs && bytes.ContainsRune(body, '@') {
				folded := fold(string(body))
				theirs = slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(folded, s) })
			}
			if theirs || p.inKey(key) {
				steps = append(steps, []any{run, phase, order, seq})
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := t.exec("DELETE FROM plan WHERE run = ?1 AND phase = ?2 AND ord = ?3 AND seq = ?4", step...); err != nil {
			return err
		}
	}
	return nil
}

// eraseFromTexts takes the person's addresses and contacts out of what is said about other rows, and about runs.
func (t *tx) eraseFromTexts(p *person) error {
	blot, err := p.blotter()
	if err != nil {
		return err
	}
	for _, column := range []struct{ read, write string }{
		{"SELECT id, note FROM history WHERE note <> ''", "UPDATE history SET note = ?2 WHERE id = ?1"},
		{"SELECT id, message FROM runs WHERE message <> ''", "UPDATE runs SET message = ?2 WHERE id = ?1"},
	} {
		if err := t.rewrite(column.read, column.write, func(text string) (string, error) { return blot(text), nil }); err != nil {
			return err
		}
	}
	return t.rewrite("SELECT id, failure FROM entries WHERE failure IS NOT NULL", "UPDATE entries SET failure = ?2 WHERE id = ?1",
		func(text string) (string, error) {
			var f ledger.Failure
			if err := json.Unmarshal([]byte(text), &f); err != nil {
				return "", fmt.Errorf("%w (the failure of an entry cannot be read)", ErrCorrupt)
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

// rewrite puts every text of a column, read with the id of its row, through change.
func (t *tx) rewrite(read, write string, change func(string) (string, error)) error {
	changed := make(map[int64]string)
	err := t.each(read, nil, func(rows *sql.Rows) error {
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
		if err := t.exec(write, id, text); err != nil {
			return err
		}
	}
	return nil
}

// blotter returns what takes the person's addresses, in any letter case, and contacts out of a text.
func (p *person) blotter() (func(string) string, error) {
	var patterns, folded []string
	for _, s := range slices.Concat(p.addresses, p.contacts) {
		patterns = append(patterns, regexp.QuoteMeta(s))
		folded = append(folded, fold(s))
	}
	names, err := regexp.Compile("(?i)" + strings.Join(patterns, "|"))
	if err != nil {
		return nil, err
	}
	return func(text string) string {
		text = names.ReplaceAllLiteralString(text, forgottenText)
		rest := fold(text)
		if slices.ContainsFunc(folded, func(s string) bool { return strings.Contains(rest, s) }) {
			return forgottenText // letter cases that the pattern does not know
		}
		return text
	}, nil
}

func (p *person) inKey(key string) bool {
	return slices.ContainsFunc(p.addresses, func(address string) bool { return keyNames(key, address) })
}

// keyNames reports whether a row's key is or holds the address: as one of its columns, or between characters that can be no
// part of an address.
func keyNames(key, address string) bool {
	if !strings.Contains(key, "@") {
		return false
	}
	address = fold(address)
	for _, part := range append(splitKey(key), key) {
		part = fold(part)
		for at := 0; ; {
			i := strings.Index(part[at:], address)
			if i < 0 {
				break
			}
			before, _ := utf8.DecodeLastRuneInString(part[:at+i])
			after, _ := utf8.DecodeRuneInString(part[at+i+len(address):])
			if !inLocal(before) && !inDomain(after) {
				return true
			}
			at += i + 1
		}
	}
	return false
}

// splitKey undoes owlatsync.JoinKey.
func splitKey(key string) []string {
	var parts []string
	var part []byte
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key):
			i++
			part = append(part, key[i])
		case key[i] == '/':
			parts, part = append(parts, string(part)), nil
		default:
			part = append(part, key[i])
		}
	}
	return append(parts, string(part))
}

// inLocal and inDomain report whether the parts of an address can hold the character.
func inLocal(r rune) bool { return inDomain(r) || strings.ContainsRune("!#$%&'*+/=?^_`{|}~", r) }

func inDomain(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N) || r == '.' || r == '-'
}

// fold makes texts equal that differ in letter case alone.
func fold(s string) string {
	return strings.ReplaceAll(owlatsync.LowerAddress(s), "ς", "σ")
}
