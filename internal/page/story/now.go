package story

import (
	"cmp"
	"fmt"

	"owlatsync/internal/explain"
	"owlatsync/ledger"
)

// OnNow says on which topics Owlat has the contact now, as far as it was asked: first those of the row, and then others that the contact is on.
func OnNow(t *explain.Tale) (lines []string) {
	switch {
	case t.MembersErr != nil:
		return []string{"On which topics they are could not be read: " + t.MembersErr.Error() + "."}
	case t.Members == nil:
		return nil
	}
	var others []string
	for _, topic := range t.Members.Topics {
		name := cmp.Or(topic.Name, topic.ID)
		var recorded ledger.MembershipState
		m := t.Entry.Membership(topic.ID)
		if m != nil {
			recorded = m.State
		}
		switch {
		case m == nil && topic.Subscribed:
			others = append(others, fmt.Sprintf("%s: on it.", name))
		case m == nil:
		case !topic.Subscribed && recorded == ledger.MemberAdded:
			lines = append(lines, fmt.Sprintf("%s: not on it any more. They have left since, or were taken off in Owlat.", name))
		case topic.Subscribed && (recorded == ledger.MemberOptedOut || recorded == ledger.MemberOut || recorded == ledger.MemberLeft):
			lines = append(lines, fmt.Sprintf("%s: on it. They came back by themselves, or were put on it by somebody else.", name))
		case topic.Subscribed:
			lines = append(lines, fmt.Sprintf("%s: on it.", name))
		default:
			lines = append(lines, fmt.Sprintf("%s: not on it.", name))
		}
	}
	return append(lines, others...)
}
