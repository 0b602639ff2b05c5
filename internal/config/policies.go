package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/config/internal/shape"
	"owlatsync/internal/config/internal/span"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/reconcile"
	"owlatsync/reconcile/policy"
)

// DefaultHistoryDays is how many days the ledger keeps the history of rows if the file does not say.
const DefaultHistoryDays = written.DefaultHistoryDays

// policyDecoder reads what is decided about a sync.
type policyDecoder struct{ *decoder }

// policies reads what becomes of rows and contacts that are gone, the guards and the events.
func (d policyDecoder) policies(s section, sync *Sync) {
	sync.OnMissing = reconcile.MissingPolicy(d.oneOf(s.text("on_missing"),
		string(reconcile.MissingKeep), string(reconcile.MissingLeave), string(reconcile.MissingDelete)))
	sync.OnRemoteDelete = reconcile.RemoteDeletePolicy(d.oneOf(s.text("on_remote_delete"),
		string(reconcile.RemoteDeleteKeep), string(reconcile.RemoteDeleteRecreate)))
	sync.Fresh = d.fresh(s.text("fresh"))
	sync.Guards = d.guards(sectionOf[written.Guards](d.decoder, s.child("guards"), setting(s.path, "guards")))
	d.facts(s, sync)
	for i, item := range s.list("events") {
		d.event(item, fmt.Sprintf("%s.events[%d]", s.path, i), sync)
	}
	d.match(s, sync)
}

// off is the word for never.
const off = shape.Off

// fresh reads how long a run acts on what it has read of its source.
func (d policyDecoder) fresh(v value) time.Duration {
	switch {
	case !v.given:
		return reconcile.DefaultFresh
	case v.text == off:
		return -1
	}
	fresh, err := span.Parse(v.text)
	if err != nil {
		v.refuse(d.decoder, "must be a duration such as 10m or 1h, or %s", off)
	}
	return fresh
}

func (d policyDecoder) guards(s section) reconcile.Guards {
	return reconcile.Guards{
		Removals:    d.limit(s, "removals", policy.DefaultRemovals),
		Updates:     d.limit(s, "updates", policy.DefaultUpdates),
		Creates:     d.limit(s, "creates", policy.DefaultCreates),
		TopicAdds:   d.limit(s, "topic_adds", policy.DefaultTopicAdds),
		OptOuts:     d.limit(s, "opt_outs", policy.DefaultOptOuts),
		Events:      d.limit(s, "events", policy.DefaultEvents),
		EmptySource: d.oneOf(s.text("empty_source"), "hold", written.Allow) == written.Allow,
		FirstRun:    d.oneOf(s.text("first_run"), "ask", written.Allow) == written.Allow,
	}
}

// limit reads a limit; parts that are not given are those of standard.
func (d policyDecoder) limit(s section, key string, standard reconcile.Limit) reconcile.Limit {
	n := s.child(key)
	if n != nil && n.Kind != yamltree.Mapping {
		if v := s.text(key); v.given && v.text != written.Allow {
			v.refuse(d.decoder, "must be %s, or a section such as {share: %s, rows: %d}", written.Allow, percent(standard.Share), standard.Rows)
		}
		return policy.NoLimit
	}
	limit, parts := standard, sectionOf[written.Limits](d.decoder, n, setting(s.path, key))
	if v := parts.text("share"); v.given {
		limit.Share = d.share(v)
	}
	if v := parts.text("rows"); v.given {
		rows, err := strconv.Atoi(v.text)
		if err != nil || rows < 0 {
			v.refuse(d.decoder, "must be a whole number of rows, 0 or more, such as %d", standard.Rows)
		}
		limit.Rows = rows
	}
	if limit == (reconcile.Limit{}) {
		// The zero limit means the standard one. Any row exceeds this limit too.
		limit.Share = math.SmallestNonzeroFloat64
	} else if limit == policy.NoLimit {
		limit.Share = math.Nextafter(1, 0) // a limit of all known rows is one
	}
	return limit
}

var shareForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?%$`)

func (d policyDecoder) share(v value) float64 {
	found := shareForm.FindStringSubmatch(strings.TrimSpace(v.text))
	if found != nil {
		// After the pattern matched, parsing fails only for a number that is too large.
		if n, err := strconv.ParseFloat(found[1], 64); err == nil && n <= 100 {
			return n / 100
		}
	}
	v.refuse(d.decoder, "must be a percentage from 0%% to 100%%, such as 10%%")
	return 0
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", share*100) }

// history reads how long the ledger keeps the history of rows.
func (d policyDecoder) history(v value) time.Duration {
	days := DefaultHistoryDays
	if v.given {
		var err error
		if days, err = strconv.Atoi(v.text); err != nil || days < 1 || days > written.MaxHistoryDays {
			v.refuse(d.decoder, "must be a whole number of days from 1 to %d, such as %d", written.MaxHistoryDays, DefaultHistoryDays)
		}
	}
	return time.Duration(days) * 24 * time.Hour
}

// Reconcile returns the sync in the form of the engine, which reads src.
func (s *Sync) Reconcile(src reconcile.Source) reconcile.Sync {
	out := reconcile.Sync{
		Name: s.Name, Source: src, Topics: make([]reconcile.Topic, len(s.Topics)), Suppressed: s.Suppressed.Column != "", Nulls: s.Nulls, Overwrite: s.Overwrite, KeyIsAddress: s.KeyIsAddress(),
		Duplicates: s.Duplicates, FullEvery: s.FullEvery, Fresh: s.Fresh, OnMissing: s.OnMissing, OnRemoteDelete: s.OnRemoteDelete, Guards: s.Guards, Match: s.Match, Since: s.Since,
	}
	for i, t := range s.Topics {
		out.Topics[i] = reconcile.Topic{ID: t.ID, When: t.When != "", Existing: t.Existing}
		if t.Name != "" {
			out.Named = append(out.Named, owlatsync.NamedTopic{ID: t.ID, Name: t.Name})
		}
	}
	for _, ev := range s.Events {
		rule := reconcile.EventRule{Name: ev.Name, On: ev.On, Column: ev.Column, From: ev.From, To: ev.To, Existing: ev.Existing}
		for _, p := range ev.Properties {
			if p.Value != nil {
				set(&rule.Constants, p.Name, p.Value)
			} else {
				set(&rule.Properties, p.Name, p.Column)
			}
		}
		out.Events = append(out.Events, rule)
	}
	return out
}

// set puts a value into a map that may be nil yet.
func set[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = value
}

// RunsByItself reports whether a service runs the sync although nobody asks for it.
func (s *Sync) RunsByItself() bool { return !s.Schedule.IsZero() || s.Listen != "" || s.Poll > 0 }

// KeyIsAddress reports whether rows have no key of their own. Their address is the key then, which is personal data.
func (s *Sync) KeyIsAddress() bool { return len(s.Key) == 0 }

// KeyIsPersonal reports whether the address is the key or a part of it.
func (s *Sync) KeyIsPersonal() bool {
	return s.KeyIsAddress() || slices.Contains(s.Key, s.Fields.Email)
}

// RowKeys returns keys that a person typed in the form of the sync's row keys.
func (s *Sync) RowKeys(typed []string) []string {
	if !s.KeyIsAddress() {
		return typed
	}
	keys := make([]string, len(typed))
	for i, key := range typed {
		keys[i] = owlatsync.LowerAddress(owlatsync.Trim(key))
	}
	return keys
}
