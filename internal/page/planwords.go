package page

import (
	"strings"

	"owlatsync"
	"owlatsync/reconcile"
)

// kindWords says of which kind a change of a plan is.
func kindWords(d reconcile.Decision) string {
	if len(d.Changes) == 0 {
		return "Events alone"
	}
	switch d.Changes[0].Kind {
	case owlatsync.CreateContact:
		return "Contacts that would be created"
	case owlatsync.AdoptContact:
		return "Contacts that would be taken over"
	case owlatsync.RenameContact:
		return "Addresses that would change"
	case owlatsync.SetField:
		return "Fields that would change"
	case owlatsync.AddTopic:
		return "Contacts that would be put on topics"
	case owlatsync.RemoveTopic:
		return "Contacts that would be taken off topics"
	case owlatsync.DeleteContact:
		return "Contacts that would be deleted"
	}
	return "Other changes"
}

// changesWords says what would be done for a row. It holds addresses and names.
func changesWords(d reconcile.Decision) string {
	var parts []string
	creating := false
	for _, c := range d.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			creating = true
			parts = append(parts, "create "+straight(c.To))
		case owlatsync.AdoptContact:
			parts = append(parts, "take over the contact")
		case owlatsync.RenameContact:
			parts = append(parts, "address "+straight(c.From)+" → "+straight(c.To))
		case owlatsync.SetField:
			if creating || c.From == "" {
				parts = append(parts, straight(c.Field)+" “"+straight(c.To)+"”")
			} else {
				parts = append(parts, straight(c.Field)+" “"+straight(c.From)+"” → “"+straight(c.To)+"”")
			}
		case owlatsync.AddTopic:
			parts = append(parts, "put on topic "+straight(c.Topic))
		case owlatsync.RemoveTopic:
			parts = append(parts, "take off topic "+straight(c.Topic))
		case owlatsync.DeleteContact:
			parts = append(parts, "delete the contact")
		}
	}
	for _, name := range d.Events {
		parts = append(parts, "send the event "+straight(name))
	}
	return strings.Join(parts, ", ")
}
