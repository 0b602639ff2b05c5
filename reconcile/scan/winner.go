package scan

import (
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// ReasonNoKey is the reason of a row without a key.
const ReasonNoKey = "the row has no key"

// ReasonTooLong is the reason of a row whose field is longer than Owlat takes it.
func ReasonTooLong(f owlatsync.ContactField) string {
	return "the " + f.Label() + " is longer than Owlat's 200 characters"
}

const reasonSameKey = "the source has another row with this key, and the first one counts"

// ReasonSameKey is the reason of a row whose key an earlier row has. First is where that one is; the zero value means not known.
func ReasonSameKey(first owlatsync.Position) string {
	if first == (owlatsync.Position{}) {
		return reasonSameKey
	}
	return fmt.Sprintf("the source has another row with this key, in %s, and the first one counts", first)
}

// Winner is the row that counts among several with one key or one address.
type Winner struct {
	Key     string
	At      owlatsync.Position // where it is in the source; the zero value: not known
	Twin    bool               // it has the row's key
	Holds   bool               // it has the contact already; false: it stands first in the source
	Renamed bool               // another sync gave its contact the address
	Differs bool               // it consents to other topics than the row
	Any     bool               // a yes of any of the rows counts
}

// Reason is the reason of a row that does not count. It holds no address.
func (w *Winner) Reason() string {
	row := step.RowName(w.Key)
	if at := w.At.String(); at != "" && step.Ref("", w.Key) == (ledger.RowRef{}) { // a key that may be named says which row it is
		row += " (" + at + ")"
	}
	why := row + " has the same address and counts, because it stands first in the source"
	switch {
	case w.Twin:
		why = ReasonSameKey(w.At)
	case w.Renamed:
		why = "the contact with this address is that of " + row + ": another sync gave it the address"
	case w.Holds:
		why = row + " has the same address and counts, because the contact is its own"
	}
	switch {
	case w.Differs && w.Any:
		why += "; the two consent to different topics, and a yes of either counts"
	case w.Differs:
		why += "; the two consent to different topics, and only what that one says counts"
	}
	return why
}
