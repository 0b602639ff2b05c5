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

// changes says what would be done for a row. It holds addresses and names.
func changes(d reconcile.Decision) string {
	var parts []string
	creating := false
	for _, c := range d.Changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			creating = true
			parts = append(parts, "create "+Straight(c.To))
		case owlatsync.AdoptContact:
			parts = append(parts, "take over the contact")
		case owlatsync.RenameContact:
			parts = append(parts, "address "+Straight(c.From)+" → "+Straight(c.To))
		case owlatsync.SetField:
			if creating || c.From == "" {
				parts = append(parts, Straight(c.Field)+" “"+Straight(c.To)+"”")
			} else {
				parts = append(parts, Straight(c.Field)+" “"+Straight(c.From)+"” → “"+Straight(c.To)+"”")
			}
		case owlatsync.AddTopic:
			parts = append(parts, "put on topic "+Straight(c.Topic))
		case owlatsync.RemoveTopic:
			parts = append(parts, "take off topic "+Straight(c.Topic))
		case owlatsync.DeleteContact:
			parts = append(parts, "delete the contact")
		}
	}
	for _, name := range d.Events {
		parts = append(parts, "send the event "+Straight(name))
	}
	return strings.Join(parts, ", ")
}

// Sample is a few examples of one kind of change in a held plan.
type Sample struct {
	Kind string // what would be done
	Rows []SampleRow
}

// SampleRow is one row of a sample.
type SampleRow struct{ Key, Text string }

// Add puts a step into the sample of its kind. Named says that its key may be seen, whole that addresses and names may be, too.
func Add(all []Sample, d reconcile.Decision, named, whole bool) []Sample {
	row := SampleRow{}
	switch {
	case named && whole:
		row.Key, row.Text = d.Key, changes(d)
	case named:
		row.Key = d.PublicKey()
	}
	kind := kind(d)
	i := slices.IndexFunc(all, func(s Sample) bool { return s.Kind == kind })
	if i < 0 {
		i, all = len(all), append(all, Sample{Kind: kind})
	}
	all[i].Rows = append(all[i].Rows, row)
	return all
}
