package page

import (
	"context"
	"net/http"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/story"
	"owlatsync/reconcile"
)

// sourceView is a row of a person as a source has it now, or why that is not known.
type sourceView struct {
	Sync, Position, Key, Email, Fields string
	Consents                           []string
	Wrong                              string // why the row cannot be sent; empty: it can
	Unread                             string // why the source was not read; empty: it was
	New                                bool   // the ledger does not know the row
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
	is := p.Matcher(sync)
	err = c.d.Inquiry.Read(ctx, sync, func(row *owlatsync.Row) {
		if key, ok := is.Means(row); ok && len(found) < listedOfSource {
			v := sourceView{Sync: sync.Name, Position: row.Position.String(), Key: key, Email: owlatsync.Trim(row.Email.Value), New: !is.Known[key]}
			var fields owlatsync.Texts
			for f, field := range row.Fields {
				if field.State == owlatsync.Set {
					fields[f] = owlatsync.Trim(field.Value)
				}
			}
			v.Fields = story.Fields(fields)
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
				found[i].Wrong = t.Reason
			}
		}
		return nil
	})
	return found, err
}
