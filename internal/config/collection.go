package config

import (
	"encoding/json"
	"strings"

	"owlatsync/internal/config/internal/expand"
)

// collection reads which documents a source of MongoDB has. Other sources have a query instead, or none.
func (d syncDecoder) collection(keys section, sync *Sync, query value, isMongo bool) {
	collection, filter := keys.text("collection"), keys.child("filter")
	if !isMongo {
		if collection.given {
			collection.refuse(d.decoder, "means nothing but with a mongodb:// source; remove it")
		}
		if filter != nil {
			d.add(filter.line, setting(keys.path, "filter"), "means nothing but with a mongodb:// source; remove it")
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
func (d syncDecoder) filter(n *node, path string) string {
	if n.kind == kindText {
		v := d.scalar(n, path, n.line)
		if v.given && !strings.HasPrefix(strings.TrimSpace(v.text), "{") {
			v.refuse(d.decoder, "must be a section of keys such as {active: true}, or a text that holds such JSON")
		}
		return strings.TrimSpace(v.text)
	}
	if n.kind != kindMapping {
		d.add(n.line, path, "must be a section of keys such as {active: true}, or a text that holds such JSON, not %s", n.kind)
		return ""
	}
	return d.json(n, path)
}

// json writes a value of the file as JSON. Its texts may hold variables.
func (d syncDecoder) json(n *node, path string) string {
	switch n.kind {
	case kindMapping:
		parts := make([]string, 0, len(n.pairs))
		for _, p := range n.pairs {
			parts = append(parts, quoted(p.key)+": "+d.json(p.value, setting(path, p.key)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case kindList:
		parts := make([]string, 0, len(n.items))
		for _, item := range n.items {
			parts = append(parts, d.json(item, path))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case kindNumber, kindBool:
		if json.Valid([]byte(n.text)) {
			return n.text
		}
		d.add(n.line, path, "%q is no value of JSON; put it in quotes, or write it otherwise", n.text)
	case kindText:
		text, _, err := expand.Variables(n.text, d.lookup)
		if err != nil {
			d.add(n.line, path, "%s", err)
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
