package story

import (
	"fmt"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/ledger"
)

// Becomes says what would become of a row that a source has now and that can be sent. The tale is nil if the ledger does not know the row, or if the row
// has another key than those that were looked up; suppressed is what the row's own column says, and barred why no mail may go to the person, nil if it may.
func Becomes(t *explain.Tale, lookedUp bool, sync *config.Sync, suppressed bool, barred *ledger.Suppression) string {
	known := t != nil && t.Entry != nil
	switch {
	case suppressed:
		return fmt.Sprintf("Runs put the person on no topic: the column %q says that no mail may go to them, ever.", sync.Suppressed.Column)
	case barred != nil:
		return "Runs put the person on no topic, because " + because(barred) + "."
	case known && t.Entry.Failure != nil && t.Entry.Failure.Parked:
		return "It has the form that Owlat takes, but it fails and is not tried again until it changes: " + t.Entry.Failure.Reason + "."
	case known && t.Entry.Failure != nil:
		return "It has the form that Owlat takes, but it fails, and later runs try it again: " + t.Entry.Failure.Reason + "."
	case known && t.Stranger():
		return "Runs make no contact of it: a row or a list said that no mail may go to the address. \"owlat-sync feedback lift\" ends that."
	case known && never(t) != "":
		return "It has the form that Owlat takes, but no run sends it, because " + never(t) + "."
	case !known && lookedUp:
		return "It can be sent, and no run has taken it up yet: the next one does."
	case !known:
		return "It can be sent. Its own page tells how it stands."
	}
	return "It can be sent."
}
