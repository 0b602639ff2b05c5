package glance

import (
	"cmp"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/page/fed"
)

// Setting is a key of the configuration with its value.
type Setting struct{ Key, Value string }

// Settings returns what the configuration says of a sync, without anything that may be secret.
func Settings(s *config.Sync) []Setting {
	all := []Setting{{"source", string(s.Target.Kind())}}
	add := func(key, value string) {
		if value != "" {
			all = append(all, Setting{key, value})
		}
	}
	add("query", s.Query)
	add("collection", s.Collection)
	add("cursor", s.Cursor.Column)
	add("listen", s.Listen)
	if s.Poll > 0 {
		add("poll", s.Poll.String())
	}
	add("key", strings.Join(s.Key, ", "))
	add("fields.email", s.Fields.Email)
	for _, f := range owlatsync.ContactFields {
		add("fields."+f.Name(), cmp.Or(s.Fields.Others[f], s.Fields.Shapes.Fields[f].Value))
	}
	add("fields.fullName", s.Fields.FullName)
	for _, t := range s.Topics {
		named := fed.Of(s, t.ID, nil)
		if named.Name == "" {
			add("topic "+t.ID, named.Rows)
		} else {
			add("topic “"+named.Name+"”", named.Rows+", id "+t.ID)
		}
	}
	add("on_missing", string(s.OnMissing))
	add("on_remote_delete", string(s.OnRemoteDelete))
	add("schedule", s.Schedule.Text)
	return all
}
