package story

import (
	"owlatsync"
	"owlatsync/reconcile"
	"owlatsync/reconcile/scan"
)

// AdviceOn says what to do about what is wrong with a row: by its reason, where the source has it in a form that cannot be sent.
func AdviceOn(t reconcile.Trouble) string {
	switch t.What {
	case string(owlatsync.Invalid):
		if text, there := corrections()[t.Reason]; there {
			return text
		}
		return "Correct in the source what the reason names. The next run takes the row up."
	case string(owlatsync.Duplicate):
		switch {
		case t.Instead == nil:
		case t.Instead.Same:
			return "See that the query gives each row once: a join often gives it several times. If the rows are of several people, each needs a key of its own."
		case t.Instead.Differs:
			return "If both rows are of one person, their consents disagree: correct them in the source, or let a yes of either count (duplicates: {consent: any}). If they are two people, give one of them another address."
		}
		return "If both rows are of one person, nothing is lost. If they are two people, give one of them another address."
	}
	return Advice(t.Category)
}

// corrections says what to do about rows that cannot be sent, by the reason.
func corrections() map[string]string {
	all := map[string]string{
		scan.ReasonNoKey:                      "Give the row a key in the source, in the column that the configuration's key names, or leave such rows out of the query.",
		owlatsync.ErrAddressEmpty.Error():     "Fill in the address, or leave rows without one out of the query.",
		owlatsync.ErrAddressForm.Error():      "Correct the address in the source: ask the person for it, or leave the row out of the query.",
		owlatsync.ErrAddressTooLong.Error():   "Owlat takes no such address: the person needs a shorter one.",
		owlatsync.ErrAddressSeveral.Error():   "Keep one address in the field. Whoever is to get mail at another one needs a row of their own.",
		owlatsync.ErrAddressMailto.Error():    "Take “mailto:” away in the source or in the query.",
		owlatsync.ErrAddressNamed.Error():     "Keep the address alone in the field, and the name in the columns for names.",
		owlatsync.ErrAddressInvisible.Error(): "Type the address anew in the source: a character that shows nothing came with it, as when it was copied from elsewhere.",
		owlatsync.ErrAddressBlank.Error():     "Take the blank out of the address, in the source.",
		owlatsync.ErrAddressDot.Error():       "Complete the domain of the address, such as example.com in place of example.",
	}
	for _, f := range owlatsync.ContactFields {
		all[scan.ReasonTooLong(f)] = "Shorten it in the source, or in the query."
	}
	return all
}
