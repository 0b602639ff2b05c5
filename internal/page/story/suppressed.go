package story

import (
	"fmt"
	"slices"

	"owlatsync/internal/explain"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
)

// Suppressed says that no mail may go to an address, why, and whether Owlat knows. The tales are those of the person's rows.
func Suppressed(s ledger.Suppression, tales []*explain.Tale, w ways.Ways) Answer {
	v := Answer{Word: no, Verdict: Verdict{Tone: Off, At: s.At}}
	const so = ", so no run puts them on a topic or sends an event for them. "
	switch s.Reason {
	case ledger.NeverMail:
		v.Says, v.Told = saysNever(tales)+so+explain.OwlatTold(s, tales, w), s.Told
		v.Do = takenBack(s, tales) + "If the row was wrong, correct it, and lift the suppression."
		if len(tales) == 0 {
			v.Do += " A look in the sources now names the row."
		}
	case ledger.Listed:
		v.Says, v.Told = "Somebody handed in a list of people to whom no mail may go (\"owlat-sync optout\")"+so+explain.OwlatTold(s, tales, w), s.Told
		v.Do = takenBack(s, tales) + "If the list was wrong, lift the suppression, and put them on a topic by hand."
	case ledger.Complained:
		v.Says, v.Do = "The person marked a mail as spam, as one of Owlat's webhooks told. Owlat sends them no campaigns, and no run puts the address on a topic or sends an event for it.", "Lift the suppression only if the person asked for mail anew."
	default:
		v.Says, v.Do = "A mail to the address came back for good, as one of Owlat's webhooks told. Owlat sends it no campaigns, and no run puts it on a topic or sends an event for it.", "If the mailbox works again, lift the suppression."
	}
	return v
}

// takenBack says who can take back in Owlat what it was told. Where Owlat was told nothing, there is nothing to take back.
func takenBack(s ledger.Suppression, tales []*explain.Tale) string {
	if s.Told.IsZero() && s.Sent.IsZero() && !slices.ContainsFunc(tales, func(t *explain.Tale) bool { return t.Entry != nil && t.Entry.ContactID != "" }) {
		return ""
	}
	return "Only the person can take that back in Owlat, by signing up again. "
}

// saysNever says where a row said that no mail may go to the person. It may be another one than those of the person now.
func saysNever(tales []*explain.Tale) string {
	for _, t := range tales {
		if t.Sync.Suppressed.Column != "" {
			return fmt.Sprintf("The column %q of %s said that no mail may go to the person, ever: in row %s, or in another one with the address", t.Sync.Suppressed.Column, t.Sync.Name, t.Key)
		}
	}
	return "A row of the source said that no mail may go to the person, ever"
}

// Lifting says why an address is suppressed, and what follows when that is lifted.
func Lifting(s ledger.Suppression, tales []*explain.Tale) (why string, follows []string) {
	const like = "Runs treat the person like anybody else again: a consent that is new to them, in a row, puts them on its topic."
	const ends = "Owlat is told nothing. If it has opted them out of everything, that stays until they sign up again, or until somebody or a run puts them on a topic."
	switch s.Reason {
	case ledger.NeverMail:
		return saysNever(tales) + ".", []string{
			"Correct the row first. As long as it says so, a run suppresses the person again when it changes.", like, ends,
		}
	case ledger.Listed:
		return "Somebody handed in a list of people to whom no mail may go (\"owlat-sync optout\").", []string{like, ends}
	case ledger.Complained:
		return "The person marked a mail as spam, as one of Owlat's webhooks told.", []string{like, "Owlat has a block list of its own, which this does not touch."}
	}
	return "A mail to the address came back for good, as one of Owlat's webhooks told.", []string{like, "Owlat has a block list of its own, which this does not touch."}
}

// Why says in a word or two why no mail may go to an address.
func Why(r ledger.SuppressionReason) string {
	switch r {
	case ledger.NeverMail:
		return "never mail, by a row"
	case ledger.Listed:
		return "opted out by a list"
	case ledger.Complained:
		return "complained"
	}
	return "bounced for good"
}
