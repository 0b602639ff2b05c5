package step

import "owlatsync/ledger"

// The reasons of rows that say, or said, that no mail may go to the person.
const (
	ReasonNever      = "no mail may go to the person, so that no contact is created"
	ReasonNeverOwlat = "no mail may go to the person: they leave the topics of the sync; without owlat.unsubscribe_secret Owlat cannot be told more"
	ReasonBarred     = "no mail may go to the address, as a row or a list said, so that no contact is created; `owlat-sync feedback lift` ends that"
	ReasonNotLifted  = "the row said that no mail may go to the person; only they can take that back, or `owlat-sync topic add` by hand"
)

// ReasonOf returns why no contact of the row is created although nothing is wrong with the row.
func ReasonOf(r *Row) string {
	if r.Never {
		return ReasonNever
	}
	return ReasonBarred
}

// Untold returns the fingerprint that the ledger has of a row to whose person no mail may go, as long as Owlat could not be told so: the row
// is looked at again in every run that reads it.
func Untold(f ledger.Fingerprint) ledger.Fingerprint {
	return ledger.Fingerprint{Hi: f.Hi, Lo: max(f.Lo^1<<63, 1)}
}
