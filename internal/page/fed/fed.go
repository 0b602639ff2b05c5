// Package fed says which syncs and columns feed a topic: Owlat's API tells no names of topics, and an id says nothing to people.
package fed

import (
	"slices"
	"strings"

	"owlatsync/internal/config"
)

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
