package story

import (
	"cmp"
	"fmt"
	"strings"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/fed"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Topic is how a person stands to one topic.
type Topic struct {
	Verdict
	ID, Name string // the name is the id where no better one is known
	Fed      string // which rows of the sync are put on it, such as "when newsletter"; empty: none are
	On       bool   // they are on it, as far as is known here, and get its mail
	Quiet    bool   // the contact is among its members, and gets nothing all the same
}

// Word says in a word or two how the person stands to the topic.
func (t Topic) Word() string {
	switch {
	case t.Quiet:
		return "gets nothing"
	case t.On && t.Tone == Good:
		return "on it"
	case t.On:
		return "put on it"
	case t.Tone == Waiting:
		return "not yet"
	case t.Tone == Unknown:
		return "not known"
	}
	return "not on it"
}

// Topics says how the person of a row stands to each topic that the sync or the ledger has. Without an entry there is none.
func Topics(t *explain.Tale) (all []Topic) {
	if t.Entry == nil {
		return nil
	}
	names := namesOf(t)
	for i := range t.Entry.Memberships {
		m := &t.Entry.Memberships[i]
		topic := topicOf(t, m.Topic)
		v, on := standing(t, m, topic)
		if on && t.Lifted() != "" {
			v.Tone, v.Says = unsure(v.Tone), v.Says+" "+blockList(t)
		}
		if topic == nil {
			v.Says += " The configuration does not have this topic any more."
		}
		all = append(all, Topic{v, m.Topic, names.of(m.Topic), fed.In(&t.Sync, m.Topic), on, quiet(t, m)})
	}
	for _, topic := range t.Sync.Topics {
		if t.Entry.Membership(topic.ID) == nil {
			all = append(all, undecided(t, topic.ID, names))
		}
	}
	return all
}

// undecided returns how the person stands to a topic about which no run has decided.
func undecided(t *explain.Tale, id string, names names) Topic {
	v := Verdict{Tone: Waiting, Says: "It is not decided yet.", Do: "The next run that takes the row up decides it."}
	switch {
	case never(t) != "":
		v = Verdict{Tone: Off, Says: "Not put on it, because " + never(t) + "."}
	}
	return Topic{Verdict: v, ID: id, Name: names.of(id), Fed: fed.In(&t.Sync, id)}
}

// names are the names of topics by id, as the configuration has them or Owlat's webhooks told them, and what is known without.
type names struct {
	told map[string]string
	sync *config.Sync
}

func namesOf(t *explain.Tale) names {
	all := names{make(map[string]string), &t.Sync}
	for _, topic := range t.Sync.Topics {
		if topic.Name != "" {
			all.told[topic.ID] = topic.Name
		}
	}
	for _, f := range t.Heard {
		for _, topic := range f.Topics {
			if topic.Name != "" && all.told[topic.ID] == "" {
				all.told[topic.ID] = topic.Name
			}
		}
	}
	return all
}

func (n names) of(id string) string { return cmp.Or(n.told[id], id) }

// said names a topic in a sentence. Beside an id it says which rows are put on the topic.
func (n names) said(id string) string {
	if n.told[id] != "" {
		return quoted(n.told[id])
	}
	return beside(quoted(id), fed.In(n.sync, id))
}

// beside puts what else is known of a topic beside its id.
func beside(id, known string) string {
	if known == "" {
		return id
	}
	return id + " (" + known + ")"
}

func topicOf(t *explain.Tale, id string) *config.Topic {
	for i := range t.Sync.Topics {
		if t.Sync.Topics[i].ID == id {
			return &t.Sync.Topics[i]
		}
	}
	return nil
}

// standing says whether the contact is on a topic, as far as is known, and why or why not. The topic is nil if the configuration does not have it.
func standing(t *explain.Tale, m *ledger.Membership, topic *config.Topic) (v Verdict, on bool) {
	is, known := isOn(t, m.Topic)
	switch {
	case t.Deleted(), t.Entry.Origin == ledger.OriginGone:
		return Verdict{Tone: Off, Says: "Not on it, because Owlat has no such contact any more."}, false
	case t.Barred != nil:
		return barred(t, m, topic), false
	case known && is && m.Pending.IsZero() && !m.Unmailed && t.Entry.Asked().IsZero(): // who is asked to confirm is on the topic and gets nothing
		return Verdict{Tone: Good, Says: "On it, as Owlat says now."}, true
	case known && !is && m.State == ledger.MemberAdded:
		return Verdict{Tone: Off, Says: "Not on it, as Owlat says now: they have left since, or were taken off in Owlat.", Do: comesBack(t, again)}, false
	case m.State == ledger.MemberAdded:
		return added(t, m, topic)
	}
	v = recorded(t, m, topic)
	if known && !is && v.Tone == Unknown {
		v.Tone, v.Says = Off, "Not on it, as Owlat says now. "+capital(strings.TrimPrefix(v.Says, "Not known whether on it: "))
	}
	return v, false
}

// again says how somebody comes back who has left.
const again = "They may sign up again by themselves. A run puts them back only when the row's consent goes from no to yes anew."

// barred says how somebody to whom no mail may go stands to a topic.
func barred(t *explain.Tale, m *ledger.Membership, topic *config.Topic) Verdict {
	why := because(t.Barred)
	switch {
	case m.State == ledger.MemberAdded && t.Barred.Reason.Asked():
		return Verdict{Waiting, "A run had put them on it. Now " + why + ".", t.Barred.At, "The next run that reads all rows takes them off it."}
	case m.State == ledger.MemberAdded:
		return Verdict{Tone: Off, Says: "A run had put them on it, but Owlat sends them no campaigns now, because " + why + ".", At: t.Barred.At}
	case m.State == ledger.MemberOut && !t.NeverMail(m), m.State == ledger.MemberOptedOut && (t.LeftThemselves(m.Topic) || !t.Barred.Reason.Asked()), m.State == ledger.MemberLeft, m.State == ledger.MemberLeaving, m.State == ledger.MemberUnsure:
		return recorded(t, m, topic)
	case m.State == ledger.MemberOptedOut && explain.WasPut(t.History, m.Topic):
		return Verdict{Tone: Off, Says: "Taken off it, because " + why + ". A run had put them on it before.", At: t.LeftAt(m)}
	case m.State == ledger.MemberOut:
		at := m.At
		if at.Before(t.Barred.At) { // the row had said no before
			at = t.Barred.At
		}
		return Verdict{Tone: Off, Says: "Not on it, because " + why + ".", At: at}
	}
	return Verdict{Tone: Off, Says: "Not put on it, because " + why + ".", At: t.LeftAt(m)}
}

// because says why no mail may go to somebody.
func because(s *ledger.Suppression) string {
	switch s.Reason {
	case ledger.Bounced:
		return "a mail to the address came back for good"
	case ledger.Complained:
		return "the person marked a mail as spam"
	}
	return "no mail may go to the person"
}

// recorded says how somebody stands to a topic by what is recorded. They are not on it, or that is not known.
func recorded(t *explain.Tale, m *ledger.Membership, topic *config.Topic) Verdict {
	switch m.State {
	case ledger.MemberWanted:
		if why := never(t); why != "" {
			return Verdict{Tone: Off, Says: "Not put on it, because " + why + ".", At: m.At}
		}
		return Verdict{Waiting, "To be put on it: " + yes(topic) + ".", m.At, "The next run does it."}
	case ledger.MemberSent:
		return Verdict{Waiting, "An add was sent, and its answer is not known.", m.At, "The next run sends it again if nobody has left since."}
	case ledger.MemberLeaving:
		return Verdict{Waiting, "A removal was sent, and its answer is not known.", m.At, "The next run sees to it."}
	case ledger.MemberOut:
		return out(t, m, topic)
	case ledger.MemberOptedOut:
		if o := t.Found(m.Topic); o != nil {
			return Verdict{Off, "The person left it: they were on it before, and Owlat showed that they are not any more.", o.At, comesBack(t, again)}
		}
		at := t.LeftAt(m)
		if t.Ours(at) {
			return Verdict{Off, "Not on it since they were opted out of everything, because no mail might go to them.", at, comesBack(t, again)}
		}
		says := "The person left it, as one of Owlat's webhooks told."
		if t.LiftedAfter(at) { // the ledger does not have any more what owlat-sync had sent
			says = "Off it, as one of Owlat's webhooks told: the person left, or owlat-sync had opted them out while no mail might go to them, before that was lifted here."
		}
		if _, known := isOn(t, m.Topic); !known {
			says += " Whether they came back by themselves is not known here."
		}
		return Verdict{Off, says, at, comesBack(t, again)}
	case ledger.MemberLeft:
		return letGo(t, m)
	case ledger.MemberSkipped:
		return Verdict{Unknown, "Left as it is in Owlat (existing: skip), because " + t.Sibling.WhyOld(m.Topic) + ".", m.At, comesBack(t, consentAnew(topic))}
	case ledger.MemberUnknown:
		return unknown(t, topic)
	case ledger.MemberImported:
		return Verdict{Unknown, "Written to a file for Owlat's importer, which was to put them on it. Whether it did, and whether they have left since, is not known here.", m.At, comesBack(t, consentAnew(topic))}
	case ledger.MemberUnsure:
		if !m.Off.IsZero() {
			return Verdict{Off, "Not on it when Owlat was asked. An add was sent and never answered: it was lost, or the person has left since. It is not sent again.", m.Off, "If you are sure, \"owlat-sync topic add\" adds them."}
		}
		return Verdict{Unknown, "An add was sent and never answered, and the person may have left since, so it is not sent again.", m.At, "If you are sure, \"owlat-sync topic add\" adds them."}
	}
	return Verdict{Tone: Unknown, Says: string(m.State) + ".", At: m.At}
}

// letGo says of a row that left the source what became of its topic.
func letGo(t *explain.Tale, m *ledger.Membership) Verdict {
	says := "Let go of when the row left the source: taken off, unless another row wanted the contact there."
	if explain.TakenOff(t.History, m.Topic) {
		says = "Taken off it, because the row left the source."
	}
	if t.Entry.Departed == "" {
		says += " That the row is back is no new consent."
	}
	return Verdict{Off, says, m.At, ""}
}

// out says why somebody is not on a topic to which the row does not consent.
func out(t *explain.Tale, m *ledger.Membership, topic *config.Topic) Verdict {
	anew := ""
	if topic != nil && topic.When != "" {
		anew = comesBack(t, "A run puts them on it when the column goes from no to yes.")
	}
	switch {
	case !t.NeverMail(m) && t.LeftThemselves(m.Topic):
		says := "Not on it: the person left it, and the row says no since."
		if t.LeftAt(m).After(m.At) {
			says = "Not on it: the row says no, and the person left it, too."
		}
		return Verdict{Off, says, t.LeftAt(m), anew}
	case t.NeverMail(m):
		return Verdict{Off, "Not on it since they were opted out of everything, because no mail might go to them.", m.At, anew}
	case anew != "":
		return Verdict{Off, fmt.Sprintf("Not on it, because the row's column %q says no.", topic.When), m.At, anew}
	}
	return Verdict{Off, "Not on it, because the row says no.", m.At, ""}
}

// isOn reports whether the contact is on a topic now, if Owlat was asked.
func isOn(t *explain.Tale, topic string) (is, known bool) {
	if t.Members == nil {
		return false, false
	}
	return t.Members.Subscribed(topic)
}

// added says of a contact that was put on a topic whether the person is yet to confirm, or may have left since.
func added(t *explain.Tale, m *ledger.Membership, topic *config.Topic) (v Verdict, on bool) {
	asked := cmp.Or(m.Pending, t.Entry.Asked())
	switch {
	case m.Unmailed:
		return Verdict{Waiting, "Owlat waits for the person to confirm (double opt-in), and sent no mail that asks for it again. Until they do, they get nothing.", cmp.Or(asked, m.At),
			"The person can confirm by the link of an earlier mail or on Owlat's preference page, or somebody does it in Owlat's dashboard."}, false
	case asked.IsZero():
		if t.Ways.Tell() {
			return Verdict{Tone: Good, Says: "Put on it: " + yes(topic) + ". " + since(t.Ways), At: m.At}, true
		}
		return Verdict{Unknown, "Put on it: " + yes(topic) + ". " + since(t.Ways), m.At, toKnow(t.Ways)}, true
	case t.At.After(asked.Add(ledger.ConfirmWithin)):
		return Verdict{Unknown, "Owlat asked the person to confirm (double opt-in), by a link that has run out by now. Whether they did is not known here, as Owlat tells nobody.", asked, "Look at the contact in Owlat."}, false
	}
	return Verdict{Unknown, "Owlat asked the person to confirm (double opt-in), and they get nothing until they have. Whether they have is not known here, as Owlat tells nobody.", asked,
		"Look at the contact in Owlat. If they have not, they must open the link of the mail within seven days. It may be among their spam."}, false
}

// toKnow says how it becomes known whether somebody has left.
func toKnow(w ways.Ways) string {
	if w.Secret {
		return "Owlat says it when it is asked now. Webhooks or polling would tell it by themselves."
	}
	return "Webhooks would tell it by themselves, and so would polling, which needs the unsubscribe secret."
}

// unknown says why it is not known whether a contact is on a topic.
func unknown(t *explain.Tale, topic *config.Topic) Verdict {
	switch {
	case topic != nil && topic.Existing == reconcile.ExistingAdd:
		return Verdict{Tone: Unknown, Says: "Not known whether on it: the row does not say yes, and nothing was sent about it yet."}
	case t.Sibling.Created != "":
		return Verdict{Tone: Unknown, Says: fmt.Sprintf("Not known whether on it: the row says no, and the contact, which the sync %q created, is left as it is in Owlat (existing: skip).", t.Sibling.Created)}
	}
	return Verdict{Tone: Unknown, Says: "Not known whether on it: the row says no, but the contact was there before, and is left as it is in Owlat (existing: skip).", Do: comesBack(t, consentAnew(topic))}
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
