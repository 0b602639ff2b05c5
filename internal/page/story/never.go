package story

import (
	"owlatsync/internal/explain"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// never says why no run puts the person of a row on any topic as things are; empty: one may. The row has an entry.
func never(t *explain.Tale) string {
	switch {
	case t.Barred != nil:
		return because(t.Barred)
	case t.Stranger():
		return "no mail may go to the person"
	case t.Entry.Departed != "", t.Entry.Origin == ledger.OriginDeleted:
		return "the row is not in the source any more"
	case (t.Deleted() || t.Entry.Origin == ledger.OriginGone) && onRemoteDelete(t) != reconcile.RemoteDeleteRecreate:
		return "the contact was deleted in Owlat"
	}
	return ""
}

// comesBack says how somebody comes onto a topic, or why no run puts them on it. An empty text stays empty.
func comesBack(t *explain.Tale, how string) string {
	if why := never(t); how != "" && why != "" {
		return "No run puts them on it, because " + why + "."
	}
	return how
}

// quiet reports whether a contact that a run put on a topic is still among its members and gets nothing, because Owlat itself sends it nothing.
func quiet(t *explain.Tale, m *ledger.Membership) bool {
	is, known := isOn(t, m.Topic)
	if known && !is || t.Deleted() || t.Entry.Origin == ledger.OriginGone {
		return false
	}
	return t.Barred != nil && !t.Barred.Reason.Asked() && m.State == ledger.MemberAdded
}

// blockList says what may keep mail back although nobody here does any more.
func blockList(t *explain.Tale) string {
	what := "a mail to the address came back for good"
	if t.Lifted() == ledger.Complained {
		what = "the person marked a mail as spam"
	}
	return "Before, " + what + ", and the suppression was lifted here since. Owlat has a block list of its own, which may still keep mail back."
}

// unsure is the tone of what seems good, and is not certain.
func unsure(t Tone) Tone {
	if t == Good {
		return Unknown
	}
	return t
}
