// Package fed says what topics are called, and which syncs and columns feed them: Owlat's API tells no names of topics, and an id says nothing to people.
package fed

import (
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
)

// Topic is a topic as people know it.
type Topic struct {
	ID   string
	Name string // empty: it is not known
	Rows string // which rows of the sync are put on it, such as "when newsletter"; empty: none are
}

// Of returns a topic as a sync knows it. Named are topics whose names are known from elsewhere.
func Of(sync *config.Sync, id string, named []owlatsync.NamedTopic) Topic {
	if id == "" { // so is that of a topic whose name is not resolved yet
		return Topic{}
	}
	t := Topic{ID: id, Rows: In(sync, id)}
	if i := slices.IndexFunc(sync.Topics, func(t config.Topic) bool { return t.ID == id }); i >= 0 {
		t.Name = sync.Topics[i].Name
	}
	if i := slices.IndexFunc(named, func(t owlatsync.NamedTopic) bool { return t.ID == id }); i >= 0 && t.Name == "" {
		t.Name = named[i].Name
	}
	return t
}

// Words says the topic by its name, by its id only if it has none, with the rows that feed it.
func (t Topic) Words() string {
	words := t.ID
	if t.Name != "" {
		words = "“" + t.Name + "”"
	}
	if t.Rows != "" {
		words += " (" + t.Rows + ")"
	}
	return words
}

// Cited says the topic by its id, with its name and the rows that feed it.
func (t Topic) Cited() string {
	var more []string
	if t.Name != "" {
		more = append(more, "“"+t.Name+"”")
	}
	if t.Rows != "" {
		more = append(more, t.Rows)
	}
	if len(more) == 0 {
		return t.ID
	}
	return t.ID + " (" + strings.Join(more, ", ") + ")"
}

// In says which rows of a sync are put on a topic, such as "when newsletter"; empty: none are.
func In(sync *config.Sync, topic string) string {
	i := slices.IndexFunc(sync.Topics, func(t config.Topic) bool { return t.ID == topic })
	switch {
	case i < 0:
		return ""
	case sync.Topics[i].When == "":
		return "every row"
	}
	return "when " + sync.Topics[i].When
}

// By says which syncs feed a topic, and with which rows, such as "users, when newsletter"; empty: none do.
func By(syncs []config.Sync, topic string) string {
	var all []string
	for i := range syncs {
		if rows := In(&syncs[i], topic); rows != "" {
			all = append(all, syncs[i].Name+", "+rows)
		}
	}
	return strings.Join(all, "; ")
}
