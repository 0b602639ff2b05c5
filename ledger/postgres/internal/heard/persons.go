package heard

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/person"
	"owlatsync/ledger/postgres/internal/pgrow"
)

const (
	// upsertOptOuts is ledger.OptOut.Later; greatest leaves NULL out.
	upsertOptOuts = insertOptOuts + `
		ON CONFLICT (deployment, contact_id, topic) DO UPDATE SET at = greatest(o.at, excluded.at), written = greatest(o.written, excluded.written),
			since = CASE WHEN excluded.at > o.at OR excluded.at = o.at AND excluded.since IS NULL THEN excluded.since ELSE o.since END`
	insertOptOuts = `INSERT INTO @opt_outs AS o (deployment, contact_id, topic, at, written, since)
		SELECT $1, x.* FROM unnest($2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[]) AS x (contact_id, topic, at, written, since)`

	insertSuppressions = `INSERT INTO @suppressions AS s (deployment, email, reason, at, sent, told)
		SELECT $1, x.* FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS x (email, reason, at, sent, told)`
	// upsertSuppressions is ledger.Suppression.With.
	upsertSuppressions = insertSuppressions + `
		ON CONFLICT (deployment, email) DO UPDATE SET (reason, at) = (SELECT CASE WHEN heavier THEN excluded.reason ELSE s.reason END,
			CASE WHEN heavier THEN excluded.at ELSE s.at END FROM (SELECT (excluded.reason = 'complained', excluded.reason <> 'bounced', excluded.at)
			> (s.reason = 'complained', s.reason <> 'bounced', s.at) AS heavier) AS h),
		sent = greatest(s.sent, excluded.sent), told = greatest(s.told, excluded.told)`

	addLifted = `SELECT @add_lines($1, array_agg(e.sync), array_agg(e.key), array_agg($3::bigint), array_agg(0::bigint), array_agg($4::bytea), array_agg(''::bytea))
		FROM @entries e WHERE e.sync IN (SELECT id FROM @syncs WHERE deployment = $1) AND e.email = $2::bytea HAVING count(*) > 0`

	upsertKnown = `INSERT INTO @known AS k (deployment, email, contact, at)
		SELECT $1, x.* FROM unnest($2::bytea[], $3::bytea[], $4::bigint[]) AS x (email, contact, at)
		ON CONFLICT (deployment, email) DO UPDATE SET contact = excluded.contact, at = excluded.at WHERE excluded.at >= k.at`
)

// place is where an opt-out is kept.
type place struct{ contact, topic string }

// Leave keeps opt-outs, unless later ones are known.
func Leave(t pgrow.Tx, optOuts []ledger.OptOut) error {
	latest := make(map[place]ledger.OptOut, len(optOuts))
	for _, o := range optOuts {
		p := place{o.ContactID, o.Topic}
		if known, twice := latest[p]; twice {
			o = known.Later(o)
		}
		latest[p] = o
	}
	return putOptOuts(t, upsertOptOuts, slices.Collect(maps.Values(latest)))
}

// AddOptOuts adds opt-outs. It fails if there is one of the same contact and topic.
func AddOptOuts(t pgrow.Tx, optOuts []ledger.OptOut) error {
	return putOptOuts(t, insertOptOuts, optOuts)
}

// putOptOuts puts opt-outs into their table, always in the same order, so that two transactions do not wait for each other.
func putOptOuts(t pgrow.Tx, statement string, optOuts []ledger.OptOut) error {
	if len(optOuts) == 0 {
		return nil
	}
	slices.SortFunc(optOuts, func(a, b ledger.OptOut) int {
		return cmp.Or(cmp.Compare(a.ContactID, b.ContactID), cmp.Compare(a.Topic, b.Topic))
	})
	var contacts, topics [][]byte
	var at []int64
	var written, since []*int64
	for _, o := range optOuts {
		contacts, topics, at = append(contacts, []byte(o.ContactID)), append(topics, []byte(o.Topic)), append(at, o.At.UnixMicro())
		written, since = append(written, micros(o.Written)), append(since, micros(o.Since))
	}
	_, err := t.Change(statement, contacts, topics, at, written, since)
	return err
}

// micros returns a time as an element of an array, nil for the zero time.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMicro())
}

// Suppress keeps suppressions, together with those that are known. It fails if one is incomplete.
func Suppress(t pgrow.Tx, suppressions []ledger.Suppression) error {
	together := make(map[string]ledger.Suppression, len(suppressions))
	for _, s := range suppressions {
		if err := s.Check(); err != nil {
			return err
		}
		together[s.Email] = s.With(together[s.Email])
	}
	return putSuppressions(t, upsertSuppressions, slices.Collect(maps.Values(together)))
}

// AddSuppressions adds suppressions. It fails if there is one of the same address.
func AddSuppressions(t pgrow.Tx, suppressions []ledger.Suppression) error {
	return putSuppressions(t, insertSuppressions, suppressions)
}

func putSuppressions(t pgrow.Tx, statement string, suppressions []ledger.Suppression) error {
	if len(suppressions) == 0 {
		return nil
	}
	slices.SortFunc(suppressions, func(a, b ledger.Suppression) int { return cmp.Compare(a.Email, b.Email) })
	var emails [][]byte
	var reasons []string
	var at []int64
	var sent, told []*int64
	for _, s := range suppressions {
		emails, reasons, at = append(emails, []byte(s.Email)), append(reasons, string(s.Reason)), append(at, s.At.UnixMicro())
		sent, told = append(sent, micros(s.Sent)), append(told, micros(s.Told))
	}
	_, err := t.Change(statement, emails, reasons, at, sent, told)
	return err
}

// tie is the contact of an address.
type tie struct {
	contact string
	at      time.Time
}

// keepTies keeps the contacts of addresses, unless later ones are known.
func keepTies(t pgrow.Tx, ties map[string]tie) error {
	if len(ties) == 0 {
		return nil
	}
	var emails, contacts [][]byte
	var at []int64
	for _, email := range slices.Sorted(maps.Keys(ties)) {
		emails, contacts, at = append(emails, []byte(email)), append(contacts, []byte(ties[email].contact)), append(at, ties[email].at.UnixMicro())
	}
	_, err := t.Change(upsertKnown, emails, contacts, at)
	return err
}

// OptOutColumns are the columns that ScanOptOut reads.
const OptOutColumns = "contact_id, topic, at, written, since"

// ScanOptOut reads an opt-out.
func ScanOptOut(rows pgx.Rows) (o ledger.OptOut, err error) {
	var at, written, since pgrow.Moment
	err = rows.Scan(&o.ContactID, &o.Topic, &at, &written, &since)
	o.At, o.Written, o.Since = at.Time, written.Time, since.Time
	return o, err
}

// SuppressionColumns are the columns that ScanSuppression reads.
const SuppressionColumns = "email, reason, at, sent, told"

// ScanSuppression reads a suppression.
func ScanSuppression(rows pgx.Rows) (s ledger.Suppression, err error) {
	var at, sent, told pgrow.Moment
	err = rows.Scan(&s.Email, &s.Reason, &at, &sent, &told)
	s.At, s.Sent, s.Told = at.Time, sent.Time, told.Time
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

func keysOf(kept map[string]string) [][]byte { return pgrow.Bytes(slices.Collect(maps.Keys(kept))) }

// OptOuts returns the opt-outs of the contacts, also those of forgotten persons under the secret.
func OptOuts(ctx context.Context, read pgrow.Read, secret []byte, contactIDs []string) (found []ledger.OptOut, err error) {
	if len(contactIDs) == 0 {
		return nil, nil
	}
	contacts := named(contactIDs, secret, ledger.HashContact)
	at := make(map[place]int)
	err = read(ctx, "SELECT "+OptOutColumns+" FROM @opt_outs WHERE deployment = $1 AND contact_id = ANY ($2::bytea[])", []any{keysOf(contacts)}, func(rows pgx.Rows) error {
		o, err := ScanOptOut(rows)
		if err != nil {
			return err
		}
		o.ContactID = contacts[o.ContactID]
		p := place{o.ContactID, o.Topic}
		i, twice := at[p]
		if !twice {
			at[p] = len(found)
			found = append(found, o)
			return nil
		}
		found[i] = found[i].Later(o) // the person left again after being forgotten
		return nil
	})
	return found, err
}

// Suppressions returns the suppressions of the addresses and contacts, also those of forgotten persons under the secret.
func Suppressions(ctx context.Context, read pgrow.Read, secret []byte, addresses []string) (map[string]ledger.Suppression, error) {
	found := make(map[string]ledger.Suppression)
	if len(addresses) == 0 {
		return found, nil
	}
	emails := named(addresses, secret, ledger.HashSuppressed)
	err := read(ctx, "SELECT "+SuppressionColumns+" FROM @suppressions WHERE deployment = $1 AND email = ANY ($2::bytea[])", []any{keysOf(emails)}, func(rows pgx.Rows) error {
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
func Known(ctx context.Context, read pgrow.Read, addresses []string) (map[string]string, error) {
	found := make(map[string]string)
	if len(addresses) == 0 {
		return found, nil
	}
	err := read(ctx, "SELECT email, contact FROM @known WHERE deployment = $1 AND email = ANY ($2::bytea[])", []any{pgrow.Bytes(addresses)}, func(rows pgx.Rows) error {
		var email, contact string
		err := rows.Scan(&email, &contact)
		found[email] = contact
		return err
	})
	return found, err
}

// AllSuppressions returns the suppressions, newest first, without those of forgotten persons; a limit below 1 means all.
func AllSuppressions(ctx context.Context, read pgrow.Read, limit int) (found []ledger.Suppression, err error) {
	err = read(ctx, "SELECT "+SuppressionColumns+" FROM @suppressions WHERE deployment = $1 AND position('@'::bytea IN email) > 0 ORDER BY at DESC, email LIMIT $2",
		[]any{pgrow.Limit(limit)}, func(rows pgx.Rows) error {
			s, err := ScanSuppression(rows)
			found = append(found, s)
			return err
		})
	return found, err
}

// Lift ends the suppression of an address, also that of a forgotten person under the secret, notes that in the history of the rows with it, and reports whether
// there was one.
func Lift(t pgrow.Tx, secret []byte, address string, at time.Time) (was bool, err error) {
	n, err := t.Change("DELETE FROM @suppressions WHERE deployment = $1 AND email = ANY ($2::bytea[])", keysOf(named([]string{address}, secret, ledger.HashSuppressed)))
	if n > 0 && err == nil {
		_, err = t.Change(addLifted, []byte(address), at.UnixMicro(), []byte(ledger.EventLifted))
	}
	return n > 0, err
}

// ContactsOf adds the contacts of a person that Owlat told of for the addresses.
func ContactsOf(t pgrow.Tx, p *person.Person) error {
	return addTied(t, `SELECT contact FROM @known WHERE deployment = $1 AND email = ANY ($2::bytea[])
		UNION SELECT contact FROM @feedback WHERE deployment = $1 AND email = ANY ($2::bytea[]) AND contact IS NOT NULL`, p.Addresses, &p.Contacts)
}

// AddressesOf adds the addresses of a person that Owlat told of for the contacts.
func AddressesOf(t pgrow.Tx, p *person.Person) error {
	return addTied(t, `SELECT email FROM @known WHERE deployment = $1 AND contact = ANY ($2::bytea[])
		UNION SELECT email FROM @feedback WHERE deployment = $1 AND contact = ANY ($2::bytea[]) AND email IS NOT NULL`, p.Contacts, &p.Addresses)
}

func addTied(t pgrow.Tx, query string, texts []string, to *[]string) error {
	return t.Find(query, []any{pgrow.Bytes(texts)}, func(rows pgx.Rows) error {
		var tied string
		err := rows.Scan(&tied)
		*to = person.AppendNew(*to, tied)
		return err
	})
}

// Erase deletes what Owlat told about a person, with its deliveries. It keeps the hashes of the feedback, so that a repetition changes
// nothing, and under hashed names the topics that the person left, and the suppressions.
func Erase(t pgrow.Tx, p *person.Person, secret []byte) error {
	if _, err := t.Number(pgrow.Feedback, 0); err != nil { // keeps feedback from coming in meanwhile
		return err
	}
	if err := noteLatest(t); err != nil {
		return err
	}
	names := pgrow.Bytes(slices.Concat(p.Addresses, p.Contacts))
	var theirs []int64
	err := t.Find(`SELECT id FROM @feedback WHERE deployment = $1 AND email = ANY ($2::bytea[]) UNION SELECT id FROM @feedback WHERE deployment = $1 AND contact = ANY ($2::bytea[])
		UNION SELECT feedback FROM @deliveries WHERE deployment = $1 AND person = ANY ($2::bytea[])`, []any{names}, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		theirs = append(theirs, id)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := t.Change(`INSERT INTO @erased (deployment, hash, received) SELECT $1, hash, received FROM @feedback WHERE deployment = $1 AND id = ANY ($2::bigint[])
		ON CONFLICT DO NOTHING`, theirs); err != nil {
		return err
	}
	if _, err := drop(t, theirs); err != nil {
		return err
	}
	if _, err := t.Change("DELETE FROM @known WHERE deployment = $1 AND (email = ANY ($2::bytea[]) OR contact = ANY ($2::bytea[]))", names); err != nil {
		return err
	}
	if err := hashOptOuts(t, p.Contacts, secret); err != nil {
		return err
	}
	return hashSuppressions(t, slices.Concat(p.Addresses, p.Contacts), secret)
}

// hashOptOuts keeps the opt-outs of contacts under their hashed names alone.
func hashOptOuts(t pgrow.Tx, contacts []string, secret []byte) error {
	var left []ledger.OptOut
	err := t.Find("DELETE FROM @opt_outs WHERE deployment = $1 AND contact_id = ANY ($2::bytea[]) RETURNING "+OptOutColumns, []any{pgrow.Bytes(contacts)}, func(rows pgx.Rows) error {
		o, err := ScanOptOut(rows)
		o.ContactID = ledger.HashContact(secret, o.ContactID)
		left = append(left, o)
		return err
	})
	if err != nil {
		return err
	}
	return Leave(t, left)
}

// hashSuppressions keeps the suppressions of addresses and contacts under their hashed names alone.
func hashSuppressions(t pgrow.Tx, names []string, secret []byte) error {
	var kept []ledger.Suppression
	err := t.Find("DELETE FROM @suppressions WHERE deployment = $1 AND email = ANY ($2::bytea[]) RETURNING "+SuppressionColumns, []any{pgrow.Bytes(names)}, func(rows pgx.Rows) error {
		s, err := ScanSuppression(rows)
		s.Email = ledger.HashSuppressed(secret, s.Email)
		kept = append(kept, s)
		return err
	})
	if err != nil {
		return err
	}
	return Suppress(t, kept)
}
