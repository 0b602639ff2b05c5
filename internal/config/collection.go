package config

import (
	"encoding/json"
	"strings"

	"owlatsync/internal/config/internal/expand"
	"owlatsync/internal/config/internal/yamltree"
)

// collection reads which documents a source of MongoDB has. Other sources have a query instead, or none.
func (d syncDecoder) collection(keys section, sync *Sync, query value, isMongo bool) {
	collection, filter := keys.text("collection"), keys.child("filter")
	if !isMongo {
		if collection.given {
			collection.refuse(d.decoder, "means nothing but with a mongodb:// source; remove it")
		}
		if filter != nil {
			d.add(filter.Line, setting(keys.path, "filter"), "means nothing but with a mongodb:// source; remove it")
		}
		return
	}
	if query.given {
		query.refuse(d.decoder, "a MongoDB source has no query; name a collection, and a filter if not all documents count")
	}
	if d.required(collection, "name the collection with one document per contact") {
		sync.Collection = collection.text
	}
	if filter != nil {
		sync.Filter = d.filter(filter, setting(keys.path, "filter"))
	}
}

// filter returns a filter as JSON: a text that holds it, or a section whose keys and values are those of the JSON.
func (d syncDecoder) filter(n *yamltree.Node, path string) string {
	if n.Kind == yamltree.Text {
		v := d.scalar(n, path, n.Line)
		if v.given && !strings.HasPrefix(strings.TrimSpace(v.text), "{") {
			v.refuse(d.decoder, "must be a section of keys such as {active: true}, or a text that holds such JSON")
		}
		return strings.TrimSpace(v.text)
	}
	if n.Kind != yamltree.Mapping {
		d.add(n.Line, path, "must be a section of keys such as {active: true}, or a text that holds such JSON, not %s", n.Kind)
		return ""
	}
	return d.json(n, path)
}

// json writes a value of the file as JSON. Its texts may hold variables.
func (d syncDecoder) json(n *yamltree.Node, path string) string {
	switch n.Kind {
	case yamltree.Mapping:
		parts := make([]string, 0, len(n.Pairs))
		for _, p := range n.Pairs {
			parts = append(parts, quoted(p.Key)+": "+d.json(p.Value, setting(path, p.Key)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yamltree.List:
		parts := make([]string, 0, len(n.Items))
		for _, item := range n.Items {
			parts = append(parts, d.json(item, path))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yamltree.Number, yamltree.Bool:
		if json.Valid([]byte(n.Text)) {
			return n.Text
		}
		d.add(n.Line, path, "%q is no value of JSON; put it in quotes, or write it otherwise", n.Text)
	case yamltree.Text:
		text, _, err := expand.Variables(n.Text, d.lookup)
		if err != nil {
			d.add(n.Line, path, "%s", err)
		}
		return quoted(text)
	}
	return "null"
}

// quoted returns a text in JSON.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text can always be written
	}
	return string(b)
}
