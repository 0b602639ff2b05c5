package story

import (
	"cmp"
	"fmt"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// standing says whether the contact was put on a topic, and why or why not. The topic is nil if the configuration does not have it.
func standing(t *explain.Tale, m *ledger.Membership, topic *config.Topic) Verdict {
	switch m.State {
	case ledger.MemberAdded:
		return added(t, m, topic)
	case ledger.MemberWanted:
		return Verdict{Waiting, "To be put on it: " + yes(topic) + ".", m.At, "The next run does it."}
	case ledger.MemberSent:
		return Verdict{Waiting, "An add was sent, and its answer is not known.", m.At, "The next run sends it again if nobody has left since."}
	case ledger.MemberLeaving:
		return Verdict{Waiting, "A removal was sent, and its answer is not known.", m.At, "The next run sees to it."}
	case ledger.MemberOut:
		if t.Barred != nil && t.Barred.Reason.Asked() {
			return Verdict{Tone: Off, Says: "Not on it, because no mail may go to the person.", At: m.At}
		}
		if topic != nil && topic.When != "" {
			return Verdict{Off, fmt.Sprintf("Not on it, because the row's column %q says no.", topic.When), m.At, "A run puts them on it when the column goes from no to yes."}
		}
		return Verdict{Off, "Not on it, because the row says no.", m.At, ""}
	case ledger.MemberOptedOut:
		if t.Barred != nil {
			return Verdict{Tone: Off, Says: "Not put on it, because no mail may go to the address.", At: m.At}
		}
		if o := t.Found(m.Topic); o != nil {
			return Verdict{Off, "The person left it: they were on it before, and Owlat showed that they are not any more.", o.At, "They may sign up again by themselves. A run puts them back only when the row's consent goes from no to yes anew."}
		}
		return Verdict{Off, "The person left it, as one of Owlat's webhooks told. Whether they came back by themselves is not known here.", leftAt(t, m), "They may sign up again by themselves. A run puts them back only when the row's consent goes from no to yes anew."}
	case ledger.MemberLeft:
		return Verdict{Off, "Let go of when the row left the source: taken off, unless another row wanted the contact there. That the row is back is no new consent.", m.At, ""}
	case ledger.MemberSkipped:
		return Verdict{Unknown, "Left as it is in Owlat (existing: skip), because " + t.Sibling.WhyOld(m.Topic) + ".", m.At, consentAnew(topic)}
	case ledger.MemberUnknown:
		return unknown(t, topic)
	case ledger.MemberImported:
		return Verdict{Unknown, "Written to a file for Owlat's importer, which was to put them on it. Whether it did, and whether they have left since, is not known here.", m.At, consentAnew(topic)}
	case ledger.MemberUnsure:
		if !m.Off.IsZero() {
			return Verdict{Off, "Not on it when Owlat was asked. An add was sent and never answered: it was lost, or the person has left since. It is not sent again.", m.Off, "If you are sure, \"owlat-sync topic add\" adds them."}
		}
		return Verdict{Unknown, "An add was sent and never answered, and the person may have left since, so it is not sent again.", m.At, "If you are sure, \"owlat-sync topic add\" adds them."}
	}
	return Verdict{Tone: Unknown, Says: string(m.State) + ".", At: m.At}
}

// added says of a contact that was put on a topic whether the person is yet to confirm.
func added(t *explain.Tale, m *ledger.Membership, topic *config.Topic) Verdict {
	asked := cmp.Or(m.Pending, t.Entry.Asked())
	switch {
	case m.Unmailed:
		return Verdict{Waiting, "Owlat waits for the person to confirm (double opt-in), and sent no mail that asks for it again. Until they do, they get nothing.", cmp.Or(asked, m.At),
			"The person can confirm by the link of an earlier mail or on Owlat's preference page, or somebody does it in Owlat's dashboard."}
	case asked.IsZero():
		return Verdict{Tone: Good, Says: "Put on it: " + yes(topic) + ".", At: m.At}
	case t.At.After(asked.Add(ledger.ConfirmWithin)):
		return Verdict{Unknown, "Owlat asked the person to confirm (double opt-in), by a link that has run out by now. Whether they did is not known here.", asked, "Look at the contact in Owlat."}
	}
	return Verdict{Waiting, "Owlat asked the person to confirm (double opt-in). Until they do, they get nothing.", asked, "They must open the link of the mail within seven days. It may be among their spam."}
}

// unknown says why it is not known whether a contact is on a topic.
func unknown(t *explain.Tale, topic *config.Topic) Verdict {
	switch {
	case topic != nil && topic.Existing == reconcile.ExistingAdd:
		return Verdict{Tone: Unknown, Says: "Not known whether on it: the row does not say yes, and nothing was sent about it yet."}
	case t.Sibling.Created != "":
		return Verdict{Tone: Unknown, Says: fmt.Sprintf("Not known whether on it: the row says no, and the contact, which the sync %q created, is left as it is in Owlat (existing: skip).", t.Sibling.Created)}
	}
	return Verdict{Tone: Unknown, Says: "Not known whether on it: the row says no, but the contact was there before, and is left as it is in Owlat (existing: skip).", Do: consentAnew(topic)}
}

// yes says why a row is put on a topic.
func yes(topic *config.Topic) string {
	if topic == nil || topic.When == "" {
		return "every row is"
	}
	return fmt.Sprintf("the row's column %q said yes", topic.When)
}

// consentAnew says what puts a contact on a topic that was left as it is.
func consentAnew(topic *config.Topic) string {
	if topic == nil || topic.When == "" {
		return ""
	}
	return fmt.Sprintf("The column %q going from no to yes puts them on it.", topic.When)
}

// leftAt returns when a person left a topic.
func leftAt(t *explain.Tale, m *ledger.Membership) time.Time {
	for _, o := range t.OptOuts {
		if o.Topic == m.Topic {
			return o.At
		}
	}
	return m.At
}
