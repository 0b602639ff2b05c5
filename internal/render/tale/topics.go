package tale

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/ways"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/members"
)

// memberships tells of the topics of a row.
type memberships struct{ *explain.Tale }

// topics says for each topic whether the contact was put on it, and why or why not.
func (t memberships) topics() []string {
	if t.Entry == nil {
		return nil
	}
	var lines []string
	for i := range t.Entry.Memberships {
		m := &t.Entry.Memberships[i]
		lines = append(lines, t.topicName(m.Topic)+": "+t.why(m)+t.onItNow(m.Topic))
	}
	for _, topic := range t.Sync.Topics {
		if t.Entry.Membership(topic.ID) == nil {
			lines = append(lines, t.topicName(topic.ID)+": not decided yet; the next run that applies the row does"+t.onItNow(topic.ID))
		}
	}
	switch {
	case t.Members != nil:
		for _, topic := range t.Members.Topics {
			if topic.Subscribed && t.Entry.Membership(topic.ID) == nil && !slices.ContainsFunc(t.Sync.Topics, func(own config.Topic) bool { return own.ID == topic.ID }) {
				lines = append(lines, t.topicName(topic.ID)+": on it in Owlat now; this sync has nothing to do with it")
			}
		}
	case len(lines) == 0:
	case t.MembersErr != nil:
		lines = append(lines, "(who is on a topic now could not be read: "+t.MembersErr.Error()+")")
	default:
		lines = append(lines, toldHow(t.Ways))
	}
	return lines
}

// toldHow says how it becomes known who has left since.
func toldHow(w ways.Ways) string {
	switch {
	case w.Webhooks && w.Polling:
		return "(who has left since is known as far as a webhook or polling has told it)"
	case w.Webhooks:
		return "(who has left since is known as far as a webhook has told it)"
	case w.Polling:
		return "(who has left since is known as far as polling has shown it)"
	}
	return "(Owlat tells nobody who is on a topic now: who has left it since is not known here)"
}

// topicName is the id of a topic, and its name where Owlat told it or the configuration has it.
func (t memberships) topicName(id string) string {
	name, _ := t.isOn(id)
	for _, topic := range t.Sync.Topics {
		if name == "" && topic.ID == id {
			name = topic.Name
		}
	}
	if name != "" {
		return fmt.Sprintf("%s (%s)", id, words.Printable(name))
	}
	return id
}

// onItNow says whether the contact should be on a topic, and whether it is, in the words of "verify".
func (t memberships) onItNow(topic string) string {
	v, ok := t.Member(topic)
	if !ok {
		return ""
	}
	text := "; in Owlat now: " + v.Now()
	if v.Should != members.Either {
		text = "; " + v.Should.Words() + text
	}
	return text
}

// why says whether the contact was put on a topic of the sync, and why or why not.
func (t memberships) why(m *ledger.Membership) string {
	var topic *config.Topic
	for i := range t.Sync.Topics {
		if t.Sync.Topics[i].ID == m.Topic {
			topic = &t.Sync.Topics[i]
		}
	}
	when := words.Clock(m.At)
	text := ""
	switch m.State {
	case ledger.MemberAdded:
		text = fmt.Sprintf("put on it %s; %s", when, consentWords(topic)) + confirmWords(t.Entry, m) + barredWords(t.Barred)
	case ledger.MemberWanted:
		text = "to be put on it; " + consentWords(topic)
	case ledger.MemberSent:
		text = fmt.Sprintf("an add was sent %s and its answer is not known; the next run sends it again if nobody has left since", when)
	case ledger.MemberLeaving:
		text = fmt.Sprintf("a removal was sent %s and its answer is not known; the next run sees to it", when)
	case ledger.MemberSkipped:
		text = "left as it is in Owlat (existing: skip), because " + t.Sibling.WhyOld(m.Topic)
		if topic != nil && topic.When != "" && t.Barred == nil && t.Entry.Departed == "" {
			text += fmt.Sprintf("; the column %q going from no to yes puts it on", topic.When)
		}
	case ledger.MemberOut:
		if t.NeverMail(m) {
			text = fmt.Sprintf("not on it since %s, because no mail may go to the person", when)
			break
		}
		text = "not on it, because the row says no"
		if topic != nil && topic.When != "" {
			text = fmt.Sprintf("not on it since %s, because the row's column %q says no", when, topic.When)
		}
		if t.LeftThemselves(m.Topic) {
			text = fmt.Sprintf("the person left it %s; the row says no, too", words.Clock(t.LeftAt(m)))
		}
	case ledger.MemberUnknown:
		text = "not known whether on it: the row says no, but the contact was there before and is left as it is in Owlat (existing: skip)"
		if t.Sibling.Created != "" {
			text = fmt.Sprintf("not known whether on it: the row says no, and the contact, which the sync %q created, is left as it is in Owlat (existing: skip)", t.Sibling.Created)
		}
		if topic != nil && topic.Existing == reconcile.ExistingAdd {
			text = "not known whether on it: the row does not say yes, and nothing was sent about it yet"
		}
		if t.Members != nil { // then it is known
			text = strings.TrimPrefix(text, "not known whether on it: ")
		}
	case ledger.MemberOptedOut:
		left := words.Clock(t.LeftAt(m))
		switch {
		case t.Barred != nil && t.Barred.Reason.Asked() && !t.LeftThemselves(m.Topic) && explain.WasPut(t.History, m.Topic):
			text = fmt.Sprintf("put on it before, and taken off it %s, because no mail may go to the person", left)
		case t.Barred != nil && t.Barred.Reason.Asked() && !t.LeftThemselves(m.Topic):
			text = fmt.Sprintf("not put on it since %s, because no mail may go to the address", left)
		case t.Ours(t.LeftAt(m)):
			text = fmt.Sprintf("not on it since %s, because no mail might go to the person", left)
		}
		if text != "" {
			break
		}
		text = fmt.Sprintf("the person left it (a webhook told so %s)", left)
		if o := t.Found(m.Topic); o != nil {
			text = fmt.Sprintf("the person left it (Owlat shows so: on it %s, off it %s)", words.Clock(o.Since), words.Clock(o.At))
		}
		if t.Members == nil {
			text += "; whether they came back by themselves is not known"
		}
	case ledger.MemberLeft:
		text = fmt.Sprintf("let go of %s, because the row left the source: taken off, unless another row wanted the contact there", when)
		if explain.TakenOff(t.History, m.Topic) {
			text = "taken off it, because the row left the source"
		}
		if t.Entry.Departed == "" {
			text += "; that it is back is no new consent"
		}
	case ledger.MemberImported:
		text = fmt.Sprintf("written %s to a file for Owlat's importer, which was to put them on it; whether it did, and whether they have left since, is not known", when)
	case ledger.MemberUnsure:
		if !m.Off.IsZero() {
			text = fmt.Sprintf("an add was sent %s and never answered; %s they were not on it: the add was lost, or the person has left since: \"owlat-sync topic add\" adds them again if you are sure", when, words.Clock(m.Off))
			break
		}
		text = fmt.Sprintf("an add was sent %s and never answered, and the person may have left since: \"owlat-sync topic add\" adds them again if you are sure", when)
	default:
		text = string(m.State)
	}
	if topic == nil {
		text += " (the configuration does not have this topic any more)"
	}
	return text
}

// barredWords says why somebody gets nothing who was put on a topic.
func barredWords(s *ledger.Suppression) string {
	switch {
	case s == nil:
		return ""
	case s.Reason.Asked():
		return "; but no mail may go to the person: the next run that reads all rows takes them off it"
	}
	return fmt.Sprintf("; but Owlat sends the address no campaigns since %s (%s)", words.Clock(s.At), s.Reason)
}

// confirmWords says that the person is yet to confirm, as far as Owlat's answers told.
func confirmWords(e *ledger.Entry, m *ledger.Membership) string {
	asked := cmp.Or(m.Pending, e.Asked())
	until := asked.Add(ledger.ConfirmWithin)
	switch {
	case asked.IsZero() && m.Unmailed:
		return "; Owlat was waiting for a confirmation before, and sent no mail: only the person can end that, by the link of an earlier mail or on Owlat's preference page, or somebody in Owlat's dashboard"
	case asked.IsZero():
		return ""
	case m.Unmailed:
		return fmt.Sprintf("; Owlat waits for a confirmation since %s and sent no second mail: only the person can end that, on Owlat's preference page, or somebody in Owlat's dashboard", words.Clock(asked))
	case time.Now().After(until):
		return fmt.Sprintf("; Owlat asked the person %s to confirm (double opt-in), by a link that was valid until %s; whether they have is not known here", words.Clock(asked), words.Clock(until))
	}
	return fmt.Sprintf("; Owlat asked the person %s to confirm (double opt-in), by a link valid until %s; whether they have is not known here, and until then they get nothing", words.Clock(asked), words.Clock(until))
}

// consentWords says why a row is put on a topic.
func consentWords(topic *config.Topic) string {
	if topic == nil || topic.When == "" {
		return "every row is"
	}
	return fmt.Sprintf("the row's column %q said yes", topic.When)
}

// isOn returns the name of a topic, "" if it is not known, and whether the contact is on it now, nil if that is not known.
func (t memberships) isOn(topic string) (name string, on *bool) {
	if t.Members == nil {
		return "", nil
	}
	for _, of := range t.Members.Topics {
		if of.ID == topic {
			return of.Name, new(of.Subscribed)
		}
	}
	return "", nil
}
