package config

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/config/internal/expand"
	"owlatsync/internal/config/internal/near"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
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
	node *yamltree.Node
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
func sectionOf[T any](d *decoder, n *yamltree.Node, path string) section {
	s := section{d: d, path: path, node: n}
	if n == nil || n.Kind != yamltree.Mapping {
		if n != nil && n.Kind != yamltree.Null {
			d.add(n.Line, path, "must be %s, such as \"%s: …\", not %s", yamltree.Mapping, written.KeysOf[T]()[0], n.Kind)
			s.odd = true
		}
		s.node = &yamltree.Node{}
		if n != nil {
			s.node.Line = n.Line
		}
		return s
	}
	known := written.KeysOf[T]()
	for _, p := range n.Pairs {
		if slices.Contains(known, p.Key) {
			continue
		}
		if like, ok := near.Word(p.Key, known); ok {
			d.add(p.Line, path, "unknown key %q; did you mean %q?", p.Key, like)
		} else if strings.Contains(p.Key, " ") && p.Value.Kind == yamltree.Null {
			d.add(p.Line, path, "unknown key %q; within { } a text that holds a comma must stand in quotes", p.Key)
		} else {
			d.add(p.Line, path, "unknown key %q; known here: %s", p.Key, strings.Join(known, ", "))
		}
	}
	return s
}

// child returns the node of a key, nil if the key is absent.
func (s section) child(key string) *yamltree.Node {
	n, _ := s.node.Get(key)
	return n
}

// text returns a scalar value. If the key is absent or its value is wrong, it returns the zero value with its setting.
func (s section) text(key string) value {
	v := s.d.scalar(s.child(key), setting(s.path, key), s.node.Line)
	v.wrong = v.wrong || s.odd
	return v
}

// scalar reads n as a text or number. An absent value gets the line of its section.
func (d *decoder) scalar(n *yamltree.Node, path string, around int) value {
	v := value{line: around, setting: path}
	if n == nil {
		return v
	}
	v.line = n.Line
	switch n.Kind {
	case yamltree.Text, yamltree.Number:
	case yamltree.Null:
		return v.refuse(d, "has no value; give it one or remove the line")
	default:
		return v.refuse(d, "must be a text, not %s", n.Kind)
	}
	text, vars, err := expand.Variables(n.Text, d.lookup)
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
func (s section) list(key string) []*yamltree.Node {
	n := s.child(key)
	switch {
	case n == nil || n.Kind == yamltree.Null:
		return nil
	case n.Kind != yamltree.List:
		s.d.add(n.Line, setting(s.path, key), "must be a list, each item on a line that begins with \"- \", not %s", n.Kind)
		return nil
	}
	return n.Items
}

// textOrList returns the texts of a key that holds one text or a list of texts. Scalars of the other kinds count as texts too.
func (s section) textOrList(key string, others ...yamltree.Kind) []value {
	n := s.child(key)
	asText := func(n *yamltree.Node) *yamltree.Node {
		if n != nil && slices.Contains(others, n.Kind) {
			return &yamltree.Node{Kind: yamltree.Text, Line: n.Line, Text: n.Text}
		}
		return n
	}
	if n == nil || n.Kind != yamltree.List {
		if v := s.d.scalar(asText(n), setting(s.path, key), s.node.Line); v.given {
			return []value{v}
		}
		return nil
	}
	var values []value
	for i, item := range n.Items {
		item = asText(item)
		if v := s.d.scalar(item, fmt.Sprintf("%s[%d]", setting(s.path, key), i), n.Line); v.given {
			values = append(values, v)
		}
	}
	return values
}
