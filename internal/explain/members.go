package explain

import (
	"slices"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/reconcile"
	"owlatsync/reconcile/members"
)

// Member says of a topic what should be, and how that agrees with what Owlat told, as a verification does; ok is false if Owlat has not told.
func (t *Tale) Member(topic string) (v members.Verdict, ok bool) {
	if t.Members == nil || t.Entry == nil {
		return v, false
	}
	c := members.Case{Has: t.Entry.Membership(topic), Is: members.IsOff}
	switch on, known := t.Members.Subscribed(topic); {
	case !known:
		c.Is = members.IsGone
	case on:
		c.Is = members.IsOn
	}
	rule := reconcile.Topic{ID: topic}
	if i := slices.IndexFunc(t.Sync.Topics, func(own config.Topic) bool { return own.ID == topic }); i >= 0 {
		rule.When, rule.Existing = t.Sync.Topics[i].When != "", t.Sync.Topics[i].Existing
	}
	c.Holds = members.Around(t.Sibling.others, c.Has, rule)
	c.Holds.Withdrawn = rule.When && members.Acted(c.Has, t.History)
	for _, d := range t.Decisions {
		for _, change := range d.Changes {
			if change.Topic == topic && (change.Kind == owlatsync.AddTopic || change.Kind == owlatsync.RemoveTopic) {
				c.Next = change.Kind
			}
		}
	}
	return members.Judge(c), true
}
