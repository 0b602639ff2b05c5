package scan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// watched is what of the rows events depend on.
type watched struct {
	columns []watchedColumn // in the order of the rules
	since   time.Time       // when facts begin to count; zero: always
}

type watchedColumn struct {
	name string
	on   ledger.EventOn
}

// maxSaid is the longest JSON of a watched property. The ledger keeps it for each row.
const maxSaid = 1000

// watchedBy returns what the events of a sync depend on, and writes it to seed.
func watchedBy(p *policy.Policies, seed io.Writer) watched {
	w := watched{since: p.Since}
	if p.Match {
		_, _ = io.WriteString(seed, "match\x01")
	}
	for _, rule := range p.Events {
		if rule.On.Watches() {
			w.columns = append(w.columns, watchedColumn{rule.Column, rule.On})
			fmt.Fprintf(seed, "%s\x00%s\x00%s\x01", rule.Name, rule.On, rule.Column)
		}
	}
	return w
}

// says returns the JSON of what a row says in watched properties. It is empty where one that is to say yes or no says neither. Old says
// that the row is a fact from before facts count.
func (w *watched) says(row *owlatsync.Row, properties map[string]json.RawMessage) (out []string, old bool, err error) {
	if len(w.columns) == 0 {
		return nil, false, nil
	}
	out = make([]string, len(w.columns))
	for i, c := range w.columns {
		at := slices.IndexFunc(row.Properties, func(p owlatsync.Property) bool { return p.Name == c.name })
		if at < 0 {
			return nil, false, fmt.Errorf("the row has no property %s, of which an event depends", c.name)
		}
		value := row.Properties[at].Value
		switch out[i] = string(properties[c.name]); c.on {
		case ledger.OnWhen:
			out[i] = truth(value)
		case ledger.OnFact:
			happened, known := timeOf(value)
			if !known {
				return nil, false, fmt.Errorf("the property %s is no time: it is to say when the fact happened, as 2026-01-31T12:00:00Z, 2026-01-31, or the seconds or milliseconds since 1970", c.name)
			}
			old = old || happened.Before(w.since)
		}
		if len(out[i]) > maxSaid {
			return nil, false, fmt.Errorf("the property %s is longer than %d bytes, and an event depends on its changes", c.name, maxSaid)
		}
	}
	return out, old, nil
}

// millis is above every number of seconds since 1970 that a fact may have: a larger one counts milliseconds.
const millis = 100_000_000_000

// timeOf reads when a fact happened.
func timeOf(value any) (at time.Time, known bool) {
	switch v := value.(type) {
	case int64:
		if v > millis {
			return time.UnixMilli(v), true
		}
		return time.Unix(v, 0), true
	case float64:
		return time.UnixMilli(int64(v * 1000)), true
	case string:
		for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
			if at, err := time.Parse(form, v); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
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
	switch owlatsync.ReadConsent(text) {
	case owlatsync.Yes:
		return ledger.SaidYes
	case owlatsync.No:
		return ledger.SaidNo
	}
	return ""
}
