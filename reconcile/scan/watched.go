package scan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// watched is a property of the rows of which an event depends.
type watched struct {
	column string
	truth  bool // only whether it says yes or no counts
}

// maxSaid is the longest JSON of a watched property. The ledger keeps it for each row.
const maxSaid = 1000

// watchedBy returns what the events of a sync depend on, in the order of the rules, and writes it to seed.
func watchedBy(p *policy.Policies, seed io.Writer) (all []watched) {
	if p.Match {
		_, _ = io.WriteString(seed, "match\x01")
	}
	for _, rule := range p.Events {
		if rule.On.Watches() {
			all = append(all, watched{rule.Column, rule.On == ledger.OnWhen})
			fmt.Fprintf(seed, "%s\x00%s\x00%s\x01", rule.Name, rule.On, rule.Column)
		}
	}
	return all
}

// says returns the JSON of what a row says in watched properties. It is empty where one that is to say yes or no says neither.
func says(all []watched, row *owlatsync.Row, properties map[string]json.RawMessage) ([]string, error) {
	if len(all) == 0 {
		return nil, nil
	}
	out := make([]string, len(all))
	for i, w := range all {
		at := slices.IndexFunc(row.Properties, func(p owlatsync.Property) bool { return p.Name == w.column })
		switch {
		case at < 0:
			return nil, fmt.Errorf("the row has no property %s, of which an event depends", w.column)
		case !w.truth:
			if out[i] = string(properties[w.column]); len(out[i]) > maxSaid {
				return nil, fmt.Errorf("the property %s is longer than %d bytes, and an event depends on its changes", w.column, maxSaid)
			}
		default:
			out[i] = truth(row.Properties[at].Value)
		}
	}
	return out, nil
}

// truth returns the JSON of true or false, empty for what is neither.
func truth(value any) string {
	text := ""
	switch v := value.(type) {
	case nil:
	case bool, int64, float64, json.Number:
		text = fmt.Sprint(v)
	case string:
		text = v
	default:
		return ""
	}
	switch c := owlatsync.ReadConsent(text); c {
	case owlatsync.Yes:
		return policy.Yes
	case owlatsync.No:
		return policy.No
	}
	return ""
}
