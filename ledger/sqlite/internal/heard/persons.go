package heard

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/person"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

const (
	insertOptOut = "INSERT INTO opt_outs (contact_id, topic, at, written, since) VALUES (?1, ?2, ?3, ?4, ?5)"
	// laterOptOut is ledger.OptOut.Later; max of SQLite is NULL if one of its values is.
	laterOptOut = ` ON CONFLICT (contact_id, topic) DO UPDATE SET at = max(at, excluded.at),
		since = CASE WHEN excluded.at > at OR excluded.at = at AND excluded.since IS NULL THEN excluded.since ELSE since END,
		written = nullif(max(coalesce(written, 0), coalesce(excluded.written, 0)), 0)`
	hashOptOuts = "INSERT INTO opt_outs (contact_id, topic, at, written, since) SELECT ?2, topic, at, written, since FROM opt_outs WHERE contact_id = ?1" + laterOptOut

	insertSuppression = "INSERT INTO suppressions (email, reason, at, sent, told) VALUES (?1, ?2, ?3, ?4, ?5)"
	// bothSuppressions is ledger.Suppression.With.
	bothSuppressions = ` ON CONFLICT (email) DO UPDATE SET (reason, at) = (SELECT iif(heavier, excluded.reason, reason), iif(heavier, excluded.at, at) FROM (SELECT
			(iif(excluded.reason = 'complained', 2, excluded.reason <> 'bounced'), excluded.at) > (iif(reason = 'complained', 2, reason <> 'bounced'), at) AS heavier)),
		sent = nullif(max(coalesce(sent, 0), coalesce(excluded.sent, 0)), 0), told = nullif(max(coalesce(told, 0), coalesce(excluded.told, 0)), 0)`
	upsertSuppression = insertSuppression + bothSuppressions
	hashSuppression   = "INSERT INTO suppressions (email, reason, at, sent, told) SELECT ?2, reason, at, sent, told FROM suppressions WHERE email = ?1" + bothSuppressions
)

// Leave keeps an opt-out, unless a later one is known.
func Leave(t dbfile.Tx, o ledger.OptOut) error {
	return t.Exec(insertOptOut+laterOptOut, o.ContactID, o.Topic, o.At.UnixMicro(), entry.TimeOrNull(o.Written), entry.TimeOrNull(o.Since))
}

// LeaveAll keeps opt-outs as Leave does. It fails for one that is incomplete.
func LeaveAll(t dbfile.Tx, optOuts []ledger.OptOut) error {
	for _, o := range optOuts {
		if err := o.Check(); err != nil {
			return err
		}
		if err := Leave(t, o); err != nil {
			return err
		}
	}
	return nil
}

// AddOptOut adds an opt-out to an empty ledger. It fails if there is one of the same contact and topic.
func AddOptOut(t dbfile.Tx, o ledger.OptOut) error {
	return t.Exec(insertOptOut, o.ContactID, o.Topic, o.At.UnixMicro(), entry.TimeOrNull(o.Written), entry.TimeOrNull(o.Since))
}

// AddSuppression adds a suppression to an empty ledger. It fails if there is one of the same address.
func AddSuppression(t dbfile.Tx, s ledger.Suppression) error {
	return putSuppression(t, insertSuppression, s)
}

// Suppress keeps suppressions, together with those that are known. It fails for one that is incomplete.
func Suppress(t dbfile.Tx, suppressions ...ledger.Suppression) error {
	for _, s := range suppressions {
		if err := s.Check(); err != nil {
			return err
		}
		if err := putSuppression(t, upsertSuppression, s); err != nil {
			return err
		}
	}
	return nil
}

func putSuppression(t dbfile.Tx, statement string, s ledger.Suppression) error {
	return t.Exec(statement, s.Email, string(s.Reason), s.At.UnixMicro(), entry.TimeOrNull(s.Sent), entry.TimeOrNull(s.Told))
}

// OptOutColumns are the columns that ScanOptOut reads.
const OptOutColumns = "contact_id, topic, at, written, since"

// ScanOptOut reads an opt-out.
func ScanOptOut(rows *sql.Rows) (o ledger.OptOut, err error) {
	var at, written, since sql.NullInt64
	err = rows.Scan(&o.ContactID, &o.Topic, &at, &written, &since)
	o.At, o.Written, o.Since = entry.TimeOf(at), entry.TimeOf(written), entry.TimeOf(since)
	return o, err
}

// SuppressionColumns are the columns that ScanSuppression reads.
const SuppressionColumns = "email, reason, at, sent, told"

// ScanSuppression reads a suppression.
func ScanSuppression(rows *sql.Rows) (s ledger.Suppression, err error) {
	var at, sent, told sql.NullInt64
	err = rows.Scan(&s.Email, &s.Reason, &at, &sent, &told)
	s.At, s.Sent, s.Told = entry.TimeOf(at), entry.TimeOf(sent), entry.TimeOf(told)
	return s, err
}

// named returns what texts are kept as: as they are, and, if there is a secret, also under the hashed name of a forgotten person.
func named(texts []string, secret []byte, hash func(secret []byte, text string) string) map[string]string {
	kept := make(map[string]string, len(texts))
	for _, text := range texts {
		kept[text] = text
		if secret != nil {
			kept[hash(secret, text)] = text
		}
	}
	return kept
}

// each calls scan for the rows of the query that have one of the texts. The query ends where they go.
func each(ctx context.Context, file *dbfile.File, query string, texts []string, scan func(*sql.Rows) error) error {
	for chunk := range slices.Chunk(texts, entry.MaxParameters) {
		if err := file.Query(ctx, query+" IN ("+entry.Places(len(chunk))+")", entry.Arguments(chunk), scan); err != nil {
			return err
		}
	}
	return nil
}

// some reports whether the table has a row.
func some(ctx context.Context, file *dbfile.File, table string) (there bool, err error) {
	err = file.Readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&there)
	return there, err
}

// OptOuts returns the opt-outs of the contacts, also those of forgotten persons under the secret.
func OptOuts(ctx context.Context, file *dbfile.File, secret func(context.Context) ([]byte, error), contactIDs []string) (found []ledger.OptOut, err error) {
	if len(contactIDs) == 0 {
		return nil, nil
	}
	if len(contactIDs) > 1 { // most ledgers have no opt-outs
		if there, err := some(ctx, file, "opt_outs"); !there {
			return nil, err
		}
	}
	key, err := secret(ctx)
	if err != nil {
		return nil, err
	}
	contacts := named(contactIDs, key, ledger.HashContact)
	type place struct{ contact, topic string }
	at := make(map[place]int)
	err = each(ctx, file, "SELECT "+OptOutColumns+" FROM opt_outs WHERE contact_id", slices.Collect(maps.Keys(contacts)), func(rows *sql.Rows) error {
		o, err := ScanOptOut(rows)
		if err != nil {
			return err
		}
		o.ContactID = contacts[o.ContactID]
		i, twice := at[place{o.ContactID, o.Topic}]
		if !twice {
			at[place{o.ContactID, o.Topic}] = len(found)
			found = append(found, o)
			return nil
		}
		found[i] = found[i].Later(o) // the person left again after being forgotten
		return nil
	})
	return found, err
}

// Suppressions returns the suppressions of the addresses and contacts, also those of forgotten persons under the secret.
func Suppressions(ctx context.Context, file *dbfile.File, secret func(context.Context) ([]byte, error), addresses []string) (map[string]ledger.Suppression, error) {
	found := make(map[string]ledger.Suppression)
	if len(addresses) == 0 {
		return found, nil
	}
	if there, err := some(ctx, file, "suppressions"); !there {
		return found, err
	}
	key, err := secret(ctx)
	if err != nil {
		return nil, err
	}
	emails := named(addresses, key, ledger.HashSuppressed)
	err = each(ctx, file, "SELECT "+SuppressionColumns+" FROM suppressions WHERE email", slices.Collect(maps.Keys(emails)), func(rows *sql.Rows) error {
		s, err := ScanSuppression(rows)
		s.Email = emails[s.Email]
		if err == nil {
			found[s.Email] = s.With(found[s.Email])
		}
		return err
	})
	return found, err
}

// Known returns the contacts that Owlat told of for the addresses.
func Known(ctx context.Context, file *dbfile.File, addresses []string) (map[string]string, error) {
	found := make(map[string]string)
	err := each(ctx, file, "SELECT email, contact FROM known WHERE email", addresses, func(rows *sql.Rows) error {
		var email, contact string
		err := rows.Scan(&email, &contact)
		found[email] = contact
		return err
	})
	return found, err
}

// AllSuppressions returns the suppressions, newest first, without those of forgotten persons; a limit below 1 means all.
func AllSuppressions(ctx context.Context, file *dbfile.File, limit int) (found []ledger.Suppression, err error) {
	if limit < 1 {
		limit = -1
	}
	err = file.Query(ctx, "SELECT "+SuppressionColumns+" FROM suppressions WHERE instr(email, '@') ORDER BY at DESC, email LIMIT ?1", []any{limit},
		func(rows *sql.Rows) error {
			s, err := ScanSuppression(rows)
			found = append(found, s)
			return err
		})
	return found, err
}

// Lift ends the suppression of an address, also that of a forgotten person under the secret, notes that in the history of the rows with it, and reports whether there was one.
func Lift(t dbfile.Tx, secret []byte, address string) (was bool, err error) {
	for name := range named([]string{address}, secret, ledger.HashSuppressed) {
		n, err := t.Affect("DELETE FROM suppressions WHERE email = ?1", name)
		if err != nil {
			return false, err
		}
		was = was || n > 0
	}
	if was {
		err = t.Exec("INSERT INTO history (sync, key, at, run, event, note) SELECT e.sync, e.key, ?2, 0, ?3, '' FROM entries e WHERE e.email = ?1", address, time.Now().UnixMicro(), ledger.EventLifted)
	}
	return was, err
}

// ContactsOf adds the contacts of a person that Owlat told of for the addresses.
func ContactsOf(t dbfile.Tx, p *person.Person) error {
	return tie(t, "SELECT contact FROM known WHERE email = ?1 UNION SELECT contact FROM feedback WHERE email = ?1 AND contact IS NOT NULL", p.Addresses, &p.Contacts)
}

// AddressesOf adds the addresses of a person that Owlat told of for the contacts.
func AddressesOf(t dbfile.Tx, p *person.Person) error {
	return tie(t, "SELECT email FROM known WHERE contact = ?1 UNION SELECT email FROM feedback WHERE contact = ?1 AND email IS NOT NULL", p.Contacts, &p.Addresses)
}

func tie(t dbfile.Tx, query string, texts []string, to *[]string) error {
	for _, text := range texts {
		err := t.Each(query, []any{text}, func(rows *sql.Rows) error {
			var tied string
			err := rows.Scan(&tied)
			*to = person.AppendNew(*to, tied)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Erase deletes what Owlat told about a person, with its deliveries. It keeps the hashes of the feedback, so that a repetition changes
// nothing, and under hashed names the topics that the person left, and the suppressions.
func Erase(t dbfile.Tx, p *person.Person, secret []byte) error {
	if err := noteLatest(t); err != nil {
		return err
	}
	theirs := make(map[int64]struct{})
	for _, name := range slices.Concat(p.Addresses, p.Contacts) {
		err := t.Each(`SELECT id FROM feedback WHERE email = ?1 UNION SELECT id FROM feedback WHERE contact = ?1
			UNION SELECT feedback FROM deliveries WHERE person = ?1`, []any{name}, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			theirs[id] = struct{}{}
			return err
		})
		if err != nil {
			return err
		}
	}
	type statement struct {
		query string
		args  []any
	}
	var statements []statement
	for id := range theirs {
		statements = append(statements, statement{"INSERT INTO erased SELECT hash, received FROM feedback WHERE id = ?1", []any{id}},
			statement{"DELETE FROM deliveries WHERE feedback = ?1", []any{id}},
			statement{"DELETE FROM feedback WHERE id = ?1", []any{id}})
	}
	for _, id := range p.Contacts {
		statements = append(statements, statement{hashOptOuts, []any{id, ledger.HashContact(secret, id)}},
			statement{"DELETE FROM opt_outs WHERE contact_id = ?1", []any{id}}, statement{"DELETE FROM known WHERE contact = ?1", []any{id}})
	}
	for _, address := range p.Addresses {
		statements = append(statements, statement{"DELETE FROM known WHERE email = ?1", []any{address}})
	}
	for _, name := range slices.Concat(p.Addresses, p.Contacts) {
		statements = append(statements, statement{hashSuppression, []any{name, ledger.HashSuppressed(secret, name)}},
			statement{"DELETE FROM suppressions WHERE email = ?1", []any{name}})
	}
	for _, s := range statements {
		if err := t.Exec(s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}
