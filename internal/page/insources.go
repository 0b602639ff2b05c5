package page

import (
	"context"
	"net/http"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/story"
	"owlatsync/internal/page/troubles"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// sourceView is a row of a person as a source has it now, or why that is not known.
type sourceView struct {
	Sync, Position, Key, Email, Fields string
	Consents                           []string
	Wrong, Do                          string         // why the row cannot be sent, and what to do; empty: it can
	Other                              troubles.Other // the row that counts instead
	Run                                int64          // the latest that read all rows; 0: none is known
	At                                 time.Time      // when it began
	Unread                             string         // why the source was not read; empty: it was
	Person                             string         // the address of the page of the row's person; empty: the row has no key
	Becomes                            string         // what would become of it, if it can be sent
	Holder                             troubles.Other // the row whose contact has the address that this one needs
	hash                               uint64         // ledger.HashText of the address, trimmed and lower-cased; 0: it has none
}

// otherOf returns the row that counts instead of one.
func otherOf(c *call, t reconcile.Trouble) (other troubles.Other) {
	if t.Instead != nil && t.Instead.Key != "" {
		other = troubles.Other{Sync: t.Sync, Key: t.Instead.Key, Person: personAddress(c, person.Subject{Sync: t.Sync, Key: t.Instead.Key})}
	}
	return other
}

// winner is a row that counts instead of one of the person's and has the same address, so that its mail is theirs.
type winner struct {
	troubles.Other
	Answer story.Answer
}

// winnerOf finds the row that counts instead of one that cannot be sent, nil if there is none or its address is another.
func winnerOf(c *call, rows []sourceView) (*winner, error) {
	for i := range rows {
		other := rows[i].Other
		if other.Key == "" || rows[i].hash == 0 {
			continue
		}
		p, err := person.Find(c.r.Context(), c.d.Rows, c.d.Inquiry.Configured(), c.d.Inquiry.Ways(), person.Subject{Sync: other.Sync, Key: other.Key})
		if err != nil {
			return nil, err
		}
		if p.Address != "" && ledger.HashText(p.Address) == rows[i].hash {
			return &winner{other, p.Answer()}, nil
		}
	}
	return nil, nil
}

// unsentRows returns what the sources have of a person that the latest runs could not send, as far as it is known without reading them.
func unsentRows(c *call, p *person.Person) (all []sourceView) {
	var hashes []uint64
	for _, address := range []string{p.Address, owlatsync.LowerAddress(p.Word)} {
		if address != "" {
			hashes = append(hashes, ledger.HashText(address))
		}
	}
	for _, sync := range configured(c) {
		found, _ := c.d.Inquiry.Unsent(sync.Name)
		keys := p.Keys(sync)
		for _, row := range found.Rows {
			if row.Key != "" && slices.Contains(keys, row.Key) || row.Hash != 0 && slices.Contains(hashes, row.Hash) {
				all = append(all, sourceView{
					Sync: sync.Name, Key: row.Key, Position: row.Position, Wrong: row.Reason, Do: story.AdviceOn(row.Trouble), Other: otherOf(c, row.Trouble), Run: found.Run, At: found.At, hash: row.Hash,
				})
			}
		}
	}
	return all[:min(len(all), listedOfSource)]
}

// listedOfSource is how many rows of one source are listed for one person.
const listedOfSource = 20

// showPersonInSources reads the sources for the rows of a person: what the ledger does not know may be why they get nothing.
func showPersonInSources(c *call) error {
	p, err := findPerson(c)
	if err != nil {
		return err
	}
	return c.alone(func() error {
		ctx, cancel := context.WithTimeout(c.r.Context(), readsWithin)
		defer cancel()
		found := []sourceView{}
		for _, sync := range c.d.Inquiry.Configured() {
			of, err := readSource(ctx, c, p, sync)
			switch {
			case c.r.Context().Err() != nil:
				return c.r.Context().Err()
			case ctx.Err() != nil:
				return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the sources could not be read in time", Hint: "\"" + c.typed().Command("explain KEY", "") + "\" takes its time"}
			case err != nil:
				c.log.Warn("a source could not be read for the page", "deployment", c.d.Name, "sync", sync.Name, "error", err)
				of = []sourceView{{Sync: sync.Name, Unread: "The source could not be read. The log of the service says why."}}
			}
			found = append(found, of...)
		}
		return showKnown(c, p, nil, found, "")
	})
}

// readSource returns the rows of the person in the source of a sync.
func readSource(ctx context.Context, c *call, p *person.Person, sync config.Sync) (found []sourceView, err error) {
	is, keys := p.Matcher(sync), p.Keys(sync)
	latest, err := latestWhole(c, sync.Name)
	if err != nil {
		return nil, err
	}
	err = c.d.Inquiry.Read(ctx, sync, func(row *owlatsync.Row) {
		if key, ok := is.Means(row); ok && len(found) < listedOfSource {
			v := sourceView{Sync: sync.Name, Position: row.Position.String(), Key: key, Email: owlatsync.Trim(row.Email.Value)}
			var fields owlatsync.Texts
			for f, field := range row.Fields {
				if field.State == owlatsync.Set {
					fields[f] = owlatsync.Trim(field.Value)
				}
			}
			v.Fields = story.Fields(fields)
			if column := sync.Suppressed.Column; column != "" {
				v.Consents = append(v.Consents, column+": "+yesNo(row.Suppressed))
			}
			if key != "" {
				v.Person = personAddress(c, person.Subject{Sync: sync.Name, Key: key})
			}
			if address := owlatsync.LowerAddress(v.Email); address != "" {
				v.hash = ledger.HashText(address)
			}
			v.Becomes = story.Becomes(p.Tale(sync.Name, key), slices.Contains(keys, key), &sync, row.Suppressed, p.Barred)
			for i, topic := range sync.Topics {
				if topic.When != "" && i < len(row.Consents) {
					v.Consents = append(v.Consents, topic.When+": "+row.Consents[i].String())
				}
			}
			found = append(found, v)
		}
	}, func(t reconcile.Trouble) error {
		for i := range found {
			if found[i].Position == t.Position {
				found[i].Wrong, found[i].Do, found[i].Other = t.Reason, story.AdviceOn(t), otherOf(c, t)
				found[i].Run, found[i].At = latest.ID, latest.Started
			}
		}
		return nil
	})
	if err != nil {
		return found, err
	}
	for i := range found {
		if err := nameHolder(c, p.Tale(sync.Name, found[i].Key), &found[i]); err != nil {
			return found, err
		}
	}
	return found, nil
}

// nameHolder says of a row that fails because another contact has its address which address that is, and which contact, as far as it is known.
func nameHolder(c *call, t *explain.Tale, v *sourceView) error {
	if t == nil || t.Entry == nil || t.Entry.Failure == nil || t.Entry.Failure.Category != ledger.CategoryTaken {
		return nil
	}
	address, err := owlatsync.NormalizeAddress(v.Email)
	if err != nil || address == t.Entry.Email {
		return nil
	}
	v.Becomes += " The new address is " + address + "."
	holders, err := c.d.Rows.Holders(c.r.Context(), []string{address})
	if err != nil {
		return err
	}
	for _, h := range holders {
		if h.Entry.Email == address && h.Entry.ContactID != t.Entry.ContactID {
			v.Holder = troubles.Other{Sync: h.Sync, Key: h.Entry.Key, Person: personAddress(c, person.Subject{Sync: h.Sync, Key: h.Entry.Key})}
			return nil
		}
	}
	told, err := c.d.Rows.Feedbacks(c.r.Context(), owlat.WebhookContactCreated, address, 0, 1)
	if err == nil && len(told) > 0 && told[0].ContactID != "" && told[0].ContactID != t.Entry.ContactID {
		v.Becomes += " A webhook told that the contact " + told[0].ContactID + " was made with it in Owlat."
	}
	return err
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
