package telling

import (
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/reconcile"
)

// kind says of which kind a change of a plan is.
func kind(d reconcile.Decision) string {
	if len(d.Changes) == 0 {
		return "Events alone"
	}
	switch d.Changes[0].Kind {
	case owlatsync.RemoveTopic:
		if Gone(d) {
			return "Contacts that would be taken off topics, because their rows are not in the source any more"
		}
		return "Contacts that would be taken off topics"
	case owlatsync.CreateContact:
		return "Contacts that would be created"
	case owlatsync.AdoptContact:
		return "Contacts in Owlat that would be taken over"
	case owlatsync.RenameContact:
		return "Addresses that would change"
	case owlatsync.SetField:
		return "Names that would change"
	case owlatsync.KeepField:
		return "Values that would stay as Owlat has them"
	case owlatsync.AddTopic:
		return "Contacts that would be put on topics"
	case owlatsync.OptOut:
		return "Contacts that would be opted out of everything"
	case owlatsync.DeleteContact:
		return "Contacts that would be deleted, because their rows are not in the source any more"
	}
	return "Other changes"
}

// Gone reports whether what is planned follows from a row that is not in the source any more.
func Gone(d reconcile.Decision) bool { return d.Outcome == owlatsync.Removed }

// Topic says what the topic with an id is called.
type Topic func(id string) string

// Changes says what would be done for a row. With values it holds addresses and names.
func Changes(d reconcile.Decision, values bool, topic Topic) string {
	var parts []string
	creating := false
	for _, c := range d.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			creating = true
			parts = append(parts, "create "+valueOr(c.To, "a contact", values))
		case owlatsync.AdoptContact:
			parts = append(parts, "take over the contact")
		case owlatsync.RenameContact:
			parts = append(parts, "address "+valueOr(c.From+" → "+c.To, "changes", values))
		case owlatsync.SetField:
			switch {
			case !values:
				parts = append(parts, "set "+Straight(c.Field))
			case creating || c.From == "":
				parts = append(parts, Straight(c.Field)+" “"+Straight(c.To)+"”")
			default:
				parts = append(parts, Straight(c.Field)+" “"+Straight(c.From)+"” → “"+Straight(c.To)+"”")
			}
		case owlatsync.KeepField:
			if !values {
				parts = append(parts, "keep "+Straight(c.Field))
			} else {
				parts = append(parts, "keep "+Straight(c.Field)+" “"+Straight(c.From)+"”, not “"+Straight(c.To)+"”")
			}
		case owlatsync.AddTopic:
			parts = append(parts, "put on topic "+Straight(topic(c.Topic)))
		case owlatsync.RemoveTopic:
			parts = append(parts, "take off topic "+Straight(topic(c.Topic)))
		case owlatsync.OptOut:
			parts = append(parts, "opt out of everything, for good")
		case owlatsync.DeleteContact:
			parts = append(parts, "delete the contact")
		}
	}
	for _, name := range d.Events {
		parts = append(parts, "send the event "+Straight(name))
	}
	return strings.Join(parts, ", ")
}

// valueOr is a value of a row, or another word where values are not for the viewer.
func valueOr(value, otherwise string, values bool) string {
	if values {
		return Straight(value)
	}
	return otherwise
}

// Sample is a few examples of one kind of change in a held plan.
type Sample struct {
	Kind string // what would be done
	Rows []SampleRow
}

// SampleRow is one row of a sample.
type SampleRow struct {
	Key    string // empty: the viewer may not see it
	Person string // the address of their page; empty: it is not for the viewer
	Text   string
}

// Add puts a step into the sample of its kind, with what may be seen of it.
func Add(all []Sample, d reconcile.Decision, row SampleRow) []Sample {
	kind := kind(d)
	i := slices.IndexFunc(all, func(s Sample) bool { return s.Kind == kind })
	if i < 0 {
		i, all = len(all), append(all, Sample{Kind: kind})
	}
	all[i].Rows = append(all[i].Rows, row)
	return all
}
