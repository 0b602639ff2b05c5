package config

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/config/internal/expand"
	"owlatsync/internal/config/internal/near"
	"owlatsync/internal/config/internal/written"
)

// decoder reads sections of the file and collects their problems.
type decoder struct {
	problems
	dir    string // folder of relative paths
	lookup func(string) (string, bool)
	use    Use
	// several is whether what is read is one of several deployments.
	several bool
	named   []value // names of topics that have no id
}

// section is a mapping whose keys were checked.
type section struct {
	d    *decoder
	node *node
	path string // such as "syncs.users.source"; empty for the file itself
	odd  bool   // the value is not a section; that was reported
	at   int    // the line of the key that a deployment stands under; 0: the section is a file
}

// value is a scalar with its variables replaced.
type value struct {
	text    string
	line    int
	setting string
	given   bool // the key is in the file, with a value
	wrong   bool // the value cannot be used; that was reported
}

// setting returns the path of a key.
func setting(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// sectionOf reads n, the value at the path, as a section with the keys of T. An absent or empty section has no keys.
func sectionOf[T any](d *decoder, n *node, path string) section {
	s := section{d: d, path: path, node: n}
	if n == nil || n.kind != kindMapping {
		if n != nil && n.kind != kindNull {
			d.add(n.line, path, "must be %s, such as \"%s: …\", not %s", kindMapping, written.KeysOf[T]()[0], n.kind)
			s.odd = true
		}
		s.node = &node{}
		if n != nil {
			s.node.line = n.line
		}
		return s
	}
	known := written.KeysOf[T]()
	for _, p := range n.pairs {
		if slices.Contains(known, p.key) {
			continue
		}
		if like, ok := near.Word(p.key, known); ok {
			d.add(p.line, path, "unknown key %q; did you mean %q?", p.key, like)
		} else if strings.Contains(p.key, " ") && p.value.kind == kindNull {
			d.add(p.line, path, "unknown key %q; within { } a text that holds a comma must stand in quotes", p.key)
		} else {
			d.add(p.line, path, "unknown key %q; known here: %s", p.key, strings.Join(known, ", "))
		}
	}
	return s
}

// child returns the node of a key, nil if the key is absent.
func (s section) child(key string) *node {
	n, _ := s.node.get(key)
	return n
}

// text returns a scalar value. If the key is absent or its value is wrong, it returns the zero value with its setting.
func (s section) text(key string) value {
	v := s.d.scalar(s.child(key), setting(s.path, key), s.node.line)
	v.wrong = v.wrong || s.odd
	return v
}

// scalar reads n as a text or number. An absent value gets the line of its section.
func (d *decoder) scalar(n *node, path string, around int) value {
	v := value{line: around, setting: path}
	if n == nil {
		return v
	}
	v.line = n.line
	switch n.kind {
	case kindText, kindNumber:
	case kindNull:
		return v.refuse(d, "has no value; give it one or remove the line")
	default:
		return v.refuse(d, "must be a text, not %s", n.kind)
	}
	text, vars, err := expand.Variables(n.text, d.lookup)
	switch {
	case err != nil:
		return v.refuse(d, "%s", err)
	case strings.TrimSpace(text) != "":
		v.text, v.given = text, true
		return v
	case len(vars) > 0:
		return v.refuse(d, "is empty: the environment variable %s is set to nothing", vars[0])
	default:
		return v.refuse(d, "is empty; give it a value or remove the line")
	}
}

// refuse reports what is wrong with the value, and returns the value marked as wrong.
func (v value) refuse(d *decoder, format string, args ...any) value {
	d.add(v.line, v.setting, format, args...)
	v.given, v.wrong = false, true
	return v
}

// required reports whether the value is there, and adds a problem if it is absent.
func (d *decoder) required(v value, advice string, args ...any) bool {
	if !v.given && !v.wrong {
		parent, key := splitSetting(v.setting)
		d.add(v.line, parent, "%q is missing; %s", key, fmt.Sprintf(advice, args...))
	}
	return v.given
}

func splitSetting(s string) (parent, key string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// oneOf reads a value that must be one of the words; the first is the default.
func (d *decoder) oneOf(v value, words ...string) string {
	if !v.given {
		return words[0]
	}
	if !slices.Contains(words, v.text) {
		last := len(words) - 1
		d.add(v.line, v.setting, "%q is not known; it can be %s or %s", v.text, strings.Join(words[:last], ", "), words[last])
		return words[0]
	}
	return v.text
}

// list returns the items of a list key; an absent or empty key is an empty list.
func (s section) list(key string) []*node {
	n := s.child(key)
	switch {
	case n == nil || n.kind == kindNull:
		return nil
	case n.kind != kindList:
		s.d.add(n.line, setting(s.path, key), "must be a list, each item on a line that begins with \"- \", not %s", n.kind)
		return nil
	}
	return n.items
}

// textOrList returns the texts of a key that holds one text or a list of texts. Scalars of the other kinds count as texts too.
func (s section) textOrList(key string, others ...kind) []value {
	n := s.child(key)
	asText := func(n *node) *node {
		if n != nil && slices.Contains(others, n.kind) {
			return &node{kind: kindText, line: n.line, text: n.text}
		}
		return n
	}
	if n == nil || n.kind != kindList {
		if v := s.d.scalar(asText(n), setting(s.path, key), s.node.line); v.given {
			return []value{v}
		}
		return nil
	}
	var values []value
	for i, item := range n.items {
		item = asText(item)
		if v := s.d.scalar(item, fmt.Sprintf("%s[%d]", setting(s.path, key), i), n.line); v.given {
			values = append(values, v)
		}
	}
	return values
}
