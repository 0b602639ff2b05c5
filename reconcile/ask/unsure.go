package ask

import (
	"context"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
)

// TopicFound is the line in the history of a row whose contact was found on a topic.
const TopicFound = "topic found"

// Unsure reads the memberships of the contacts with an add that is unsure and that nobody has read yet. It hands the record that says what
// became of the add to record. All says that none is left to read. Its time grows with the entries of the sync.
func Unsure(ctx context.Context, a *Asker, links *remote.Links, record func(ledger.Record) error) (all bool, err error) {
	var unsure []*ledger.Entry
	for e, err := range a.Ledger.All(ctx, a.Sync) {
		if err != nil {
			return false, fmt.Errorf("read the ledger: %w", err)
		}
		if e.Unread() {
			unsure = append(unsure, e)
		}
	}
	all = true
	for _, e := range unsure {
		members, _, err := links.Read(ctx, a.Client, e.ContactID)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil { // one that is gone is met when its row is planned
			all = all && remote.IsGone(err)
			continue
		}
		var records []ledger.Record
		for i := range e.Memberships {
			m := &e.Memberships[i]
			if m.State != ledger.MemberUnsure {
				continue
			}
			if members[m.Topic].On {
				m.State, m.At = ledger.MemberAdded, a.now()
				records = append(records, ledger.Record{Sync: a.Sync, Run: a.Run, Entry: e, Event: TopicFound, Note: m.Topic})
			} else {
				m.Off = a.now()
			}
		}
		e.ChangedAt = a.Ledger.Now()
		if len(records) == 0 {
			records = append(records, ledger.Record{Sync: a.Sync, Run: a.Run, Entry: e})
		}
		for _, r := range records {
			if err := record(r); err != nil {
				return false, err
			}
		}
	}
	return all, nil
}
