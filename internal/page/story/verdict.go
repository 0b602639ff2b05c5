package story

import (
	"cmp"
	"fmt"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/fed"
	"owlatsync/ledger"
)

// Tone is how good a verdict is.
type Tone string

const (
	Good    Tone = "good"    // all is as the row says
	Waiting Tone = "waiting" // something is still to come
	Off     Tone = "off"     // the person gets nothing, as somebody decided
	Bad     Tone = "bad"     // something is wrong
	Unknown Tone = "unknown" // nobody here knows
)

// Verdict answers why a person gets mail or not.
type Verdict struct {
	Tone Tone
	Says string
	At   time.Time // since when it is so; zero: it has no beginning that is known
	Do   string    // what can be done; empty: nothing, or nothing needs to be
}

// Of returns the verdict about one row.
func Of(t *explain.Tale) Verdict {
	if v, stopped := barrier(t); stopped {
		return v
	}
	topics := Topics(t)
	if len(topics) == 0 {
		return Verdict{Tone: Good, Says: "The contact is in Owlat, as the row last had it. This sync puts nobody on a topic, so what the person gets is decided in Owlat.", At: t.Entry.ChangedAt}
	}
	worst, on := topics[0], 0
	for _, topic := range topics {
		if topic.Tone == Good {
			on++
		}
		if rank(topic.Tone) > rank(worst.Tone) {
			worst = topic
		}
	}
	if on == len(topics) {
		what := "the topic"
		if on > 1 {
			what = fmt.Sprintf("all %d topics", on)
		}
		return Verdict{Tone: Good, Says: "The contact is in Owlat, and was put on " + what + ". Owlat tells nobody whether they have left since, unless its webhooks come here.", At: worst.At}
	}
	v := worst.Verdict
	v.Says = fmt.Sprintf("Topic %s: %s", namesOf(t).said(worst.ID), v.Says)
	if len(topics) > 1 {
		v.Says = fmt.Sprintf("On %d of %d topics. %s", on, len(topics), v.Says)
	}
	return v
}

// rank orders tones by how much they say why somebody gets nothing.
func rank(t Tone) int {
	switch t {
	case Good:
		return 0
	case Unknown:
		return 1
	case Waiting:
		return 2
	case Off:
		return 3
	}
	return 4
}

// barrier says what keeps everything from the person, whatever their topics.
func barrier(t *explain.Tale) (v Verdict, stopped bool) {
	if t.Barred != nil {
		return Suppressed(*t.Barred), true
	}
	e := t.Entry
	switch {
	case e == nil:
		return Verdict{Tone: Waiting, Says: "No run has applied the row, so Owlat does not know the person from it.", Do: "Ask for a run. If the row cannot be sent, its failures say why."}, true
	case e.Failure != nil && e.Failure.Parked:
		return Verdict{Bad, "The row fails, and is not tried again until it changes: " + e.Failure.Reason + ".", e.Failure.First, Advice(e.Failure.Category)}, true
	case e.Failure != nil:
		return Verdict{Bad, "The row fails, and later runs try it again: " + e.Failure.Reason + ".", e.Failure.First, Advice(e.Failure.Category)}, true
	case e.Origin == ledger.OriginGone:
		return Verdict{Off, "The contact was deleted in Owlat.", e.ChangedAt, fmt.Sprintf("The sync does with such rows what on_remote_delete says: %s.", t.Sync.OnRemoteDelete)}, true
	case e.Origin == ledger.OriginDeleted:
		return Verdict{Off, "The row left the source, and the sync deleted its contact.", e.ChangedAt, "If the person should get mail, the source must have the row."}, true
	case e.Departed != "":
		return Verdict{Off, "The row is not in the source any more.", e.ChangedAt, "If the person should get mail, the source must have the row."}, true
	case t.Sync.Match:
		return Verdict{Tone: Off, Says: "The sync only sends events, to whoever has the address of the row. It puts nobody on a topic."}, true
	case e.Origin == ledger.OriginExported:
		return Verdict{Waiting, "The row was written to a file for Owlat's importer, and no run has met its contact since.", e.FirstSeen, "Import the file in Owlat's dashboard. The next run sees to it."}, true
	case e.ContactID == "":
		return Verdict{Tone: Waiting, Says: "The row has no contact in Owlat yet.", Do: "The next run sees to it."}, true
	}
	return v, false
}

// Suppressed says that no mail may go to an address.
func Suppressed(s ledger.Suppression) Verdict {
	switch s.Reason {
	case ledger.NeverMail:
		return Verdict{Off, "A row of the source says that no mail may go to the person, so no run puts them on a topic or sends an event for them. " + owlatTold(s), s.At,
			"Only the person can take that back in Owlat. If the row was wrong, lift the suppression, and put them on a topic by hand."}
	case ledger.Listed:
		return Verdict{Off, "Somebody handed in a list of people to whom no mail may go, so no run puts them on a topic or sends an event for them. " + owlatTold(s), s.At,
			"Only the person can take that back in Owlat. If the list was wrong, lift the suppression, and put them on a topic by hand."}
	case ledger.Complained:
		return Verdict{Off, "The person marked a mail as spam, so no run puts the address on a topic or sends an event for it.", s.At, "Lift the suppression only if the person asked for mail anew."}
	}
	return Verdict{Off, "A mail to the address came back for good, so no run puts it on a topic or sends an event for it.", s.At, "If the mailbox works again, lift the suppression."}
}

// Topic is how a person stands to one topic.
type Topic struct {
	Verdict
	ID, Name string // the name is the id where no better one is known
	Fed      string // which rows of the sync are put on it, such as "when newsletter"; empty: none are
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
		v := standing(t, m, topic)
		if topic == nil {
			v.Says += " The configuration does not have this topic any more."
		}
		all = append(all, Topic{v, m.Topic, names.of(m.Topic), fed.In(&t.Sync, m.Topic)})
	}
	for _, topic := range t.Sync.Topics {
		if t.Entry.Membership(topic.ID) == nil {
			all = append(all, Topic{Verdict{Tone: Waiting, Says: "It is not decided yet.", Do: "The next run that applies the row decides it."}, topic.ID, names.of(topic.ID), fed.In(&t.Sync, topic.ID)})
		}
	}
	return all
}

// names are the names of topics by id, as Owlat's webhooks told them, and what is known without.
type names struct {
	told map[string]string
	sync *config.Sync
}

func namesOf(t *explain.Tale) names {
	all := names{make(map[string]string), &t.Sync}
	for _, f := range t.Heard {
		for _, topic := range f.Topics {
			if topic.Name != "" {
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

// Worst returns the place of the verdict that says the most of why somebody gets nothing.
func Worst(all []Verdict) (worst int) {
	for i := range all {
		if rank(all[i].Tone) > rank(all[worst].Tone) {
			worst = i
		}
	}
	return worst
}

// owlatTold says whether Owlat knows of a suppression.
func owlatTold(s ledger.Suppression) string {
	if s.Told.IsZero() {
		return "Owlat itself was not told."
	}
	return "Owlat has opted them out of everything."
}
