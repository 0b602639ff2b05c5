package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"owlatsync/ledger"
)

const (
	insertOptOut = "INSERT INTO opt_outs (contact_id, topic, at) VALUES (?1, ?2, ?3)"
	upsertOptOut = insertOptOut + " ON CONFLICT (contact_id, topic) DO UPDATE SET at = max(at, excluded.at)"
)

// NoteOptOuts durably keeps that persons left topics, all or none; of several for one contact and topic the latest counts.
func (l *Ledger) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	if len(optOuts) == 0 {
		return nil
	}
	return l.update(ctx, "note opt-outs in ledger", durable, func(t *tx) error {
		for _, o := range optOuts {
			if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
				return errors.New("an opt-out names no contact, no topic or no time")
			}
			if err := t.exec(upsertOptOut, o.ContactID, o.Topic, o.At.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// OptOuts returns the opt-outs of the contacts that are known, those of forgotten persons too.
func (l *Ledger) OptOuts(ctx context.Context, contactIDs []string) ([]ledger.OptOut, error) {
	found, err := l.optOuts(ctx, contactIDs)
	if err != nil {
		return nil, fmt.Errorf("read opt-outs of the ledger: %w", explain(ctx, err))
	}
	return found, nil
}

func (l *Ledger) optOuts(ctx context.Context, contactIDs []string) (found []ledger.OptOut, err error) {
	if len(contactIDs) == 0 {
		return nil, nil
	}
	if len(contactIDs) > 1 { // mostly there is nothing to look for
		var some bool
		if err := l.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM opt_outs)").Scan(&some); !some {
			return nil, err
		}
	}
	secret, err := l.forgetSecret(ctx)
	if err != nil {
		return nil, err
	}
	contacts := make(map[string]string, len(contactIDs)) // by how they are stored
	for _, id := range contactIDs {
		contacts[id] = id
		if secret != nil {
			contacts[hashContact(secret, id)] = id
		}
	}
	type place struct{ contact, topic string }
	at := make(map[place]int)
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(contacts)), maxParameters) {
		err := l.query(ctx, "SELECT contact_id, topic, at FROM opt_outs WHERE contact_id IN ("+places(len(chunk))+")", arguments(chunk),
			func(rows *sql.Rows) error {
				o, err := scanOptOut(rows)
				if err != nil {
					return err
				}
				o.ContactID = contacts[o.ContactID]
				i, twice := at[place{o.ContactID, o.Topic}]
				switch {
				case !twice:
					at[place{o.ContactID, o.Topic}] = len(found)
					found = append(found, o)
				case o.At.After(found[i].At): // left again since the person was forgotten
					found[i] = o
				}
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func scanOptOut(rows *sql.Rows) (o ledger.OptOut, err error) {
	var at sql.NullInt64
	err = rows.Scan(&o.ContactID, &o.Topic, &at)
	o.At = timeOf(at)
	return o, err
}
