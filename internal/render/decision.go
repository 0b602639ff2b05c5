package render

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

// decisionJSON is one row of a plan as "plan --json" prints it.
type decisionJSON struct {
	Type     string             `json:"type"`
	Sync     string             `json:"sync"`
	Key      string             `json:"key,omitempty"`
	Position string             `json:"position"`
	Outcome  owlatsync.Outcome  `json:"outcome"`
	Reason   string             `json:"reason,omitempty"`
	Changes  []owlatsync.Change `json:"changes"`
	Events   []string           `json:"events,omitempty"`
	Requests int                `json:"requests"`
	MayExist bool               `json:"may_exist,omitempty"` // the contact to be created may exist: then it is adopted
}

func newDecisionJSON(sync string, d reconcile.Decision) decisionJSON {
	return decisionJSON{
		Type: "row", Sync: sync, Key: d.Key, Position: d.Position, Outcome: d.Outcome, Reason: d.Reason,
		Changes: append([]owlatsync.Change{}, d.Changes...), Events: d.Events, Requests: d.Requests, MayExist: d.MayExist,
	}
}

// NewRow returns what a run would do with a row, as "plan --json" prints it.
func NewRow(sync string, d reconcile.Decision) any { return newDecisionJSON(sync, d) }

// Intent says what the next run would do with a row.
func Intent(d reconcile.Decision) string {
	text := Intention(d.Outcome)
	if d.Outcome == owlatsync.Failed {
		text = "fail"
	}
	if what := DecisionWords(d, nil); what != "" {
		text += ": " + what
	}
	return text
}

// decisionLine returns a row of a plan as one line of text.
func decisionLine(d reconcile.Decision, names topicNames) string {
	label := d.Key
	if label == "" {
		label = d.Position
	}
	intended := Intention(d.Outcome)
	if d.MayExist {
		intended += ", or adopt if it exists"
	}
	if d.Outcome == owlatsync.Unchanged && len(d.Changes) > 0 {
		intended = "keep"
	}
	return fmt.Sprintf("  %-9s  %-10s  %s", intended, words.Printable(label), DecisionWords(d, names))
}

// DecisionWords says what a run would do with a row of a sync with the topics, and why not more.
func DecisionWords(d reconcile.Decision, topics []config.Topic) string {
	var parts []string
	if changes := describe(d.Changes, topics); changes != "" {
		parts = append(parts, changes)
	}
	for _, name := range d.Events {
		parts = append(parts, "send event "+name)
	}
	what := strings.Join(parts, ", ")
	if d.Reason != "" && what != "" {
		what += "; "
	}
	return what + d.Reason
}

// Intention is the word for an outcome in a plan.
func Intention(o owlatsync.Outcome) string {
	switch o {
	case owlatsync.Created:
		return "create"
	case owlatsync.Updated:
		return "update"
	case owlatsync.Renamed:
		return "rename"
	case owlatsync.Adopted:
		return "adopt"
	case owlatsync.Removed:
		return "remove"
	case owlatsync.Skipped:
		return "skip"
	}
	return string(o)
}

// topicNames are the topics of a sync, as far as the configuration calls them by names.
type topicNames []config.Topic

// of returns the id of a topic, and its name if that is known.
func (n topicNames) of(id string) string {
	for _, t := range n {
		if t.ID == id && t.Name != "" {
			return fmt.Sprintf("%s (%s)", id, words.Printable(t.Name))
		}
	}
	return id
}

// describe says in words what the changes do.
func describe(changes []owlatsync.Change, names topicNames) string {
	parts := make([]string, 0, len(changes))
	creating := false
	for _, c := range changes {
		switch c.Kind {
		case owlatsync.CreateContact:
			creating = true
			parts = append(parts, words.Printable(c.To))
		case owlatsync.AdoptContact:
			parts = append(parts, "the contact exists")
		case owlatsync.RenameContact:
			parts = append(parts, fmt.Sprintf("address %s -> %s", words.Printable(c.From), words.Printable(c.To)))
		case owlatsync.SetField:
			if creating {
				parts = append(parts, fmt.Sprintf("%s %q", c.Field, c.To))
			} else {
				parts = append(parts, fmt.Sprintf("%s %q -> %q", c.Field, c.From, c.To))
			}
		case owlatsync.KeepField:
			parts = append(parts, fmt.Sprintf("keep %s %q, not %q", c.Field, c.From, c.To))
		case owlatsync.AddTopic:
			parts = append(parts, "add to topic "+names.of(c.Topic))
		case owlatsync.RemoveTopic:
			parts = append(parts, "remove from topic "+names.of(c.Topic))
		case owlatsync.OptOut:
			parts = append(parts, "opt out of everything, for good")
		case owlatsync.DeleteContact:
			parts = append(parts, "delete the contact")
		default:
			parts = append(parts, string(c.Kind))
		}
	}
	return strings.Join(parts, ", ")
}
