package story

import (
	"cmp"
	"fmt"
	"strings"

	"owlatsync/internal/explain"
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
		if t.Entry.Membership(topic.ID) == nil && topicOf(t, topic.ID) == nil {
			if topic.Subscribed {
				others = append(others, name+": on it.")
			}
			continue
		}
		v, _ := t.Member(topic.ID)
		line := fmt.Sprintf("%s: %s.", name, v.Is.Words())
		if v.Kind.Differs() {
			line = fmt.Sprintf("%s: %s, and is %s.", name, v.Should.Words(), v.Is.Words())
		}
		if v.Why != "" {
			line += " " + strings.ToUpper(v.Why[:1]) + v.Why[1:] + "."
		}
		lines = append(lines, line)
	}
	return append(lines, others...)
}
