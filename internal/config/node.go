package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"owlatsync/internal/config/internal/mistake"
)

// node is a YAML value and its line, with aliases and merge keys resolved.
type node struct {
	kind  kind
	line  int
	text  string  // only of a scalar
	items []*node // only of a list
	pairs []pair  // only of a mapping, in the order of the file
}

type pair struct {
	key   string
	line  int
	value *node
}

type kind int

const (
	kindNull kind = iota
	kindText
	kindNumber
	kindBool
	kindList
	kindMapping
)

func (k kind) String() string {
	return [...]string{"nothing", "a text", "a number", "true or false", "a list", "a section of keys"}[k]
}

func (n *node) get(key string) (*node, bool) {
	for _, p := range n.pairs {
		if p.key == key {
			return p.value, true
		}
	}
	return nil, false
}

// syntaxError is a mistake in the YAML itself.
type syntaxError struct {
	line    int // from 1; 0: not known
	message string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// parseYAML reads one YAML document, nil if there is none. Its errors are *syntaxError and hold no value of the file.
func parseYAML(data []byte) (*node, error) {
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		return nil, asSyntaxError(err, data)
	}
	var root *yaml.Node
	for _, doc := range docs {
		switch body := doc.Content[0]; {
		case body.ShortTag() == "!!null":
		case root != nil:
			return nil, &syntaxError{body.Line, "a second YAML document begins here; the file must hold one"}
		default:
			root = body
		}
	}
	if root == nil {
		return nil, nil
	}
	return resolver{}.resolve(root)
}

// asSyntaxError says in helpful words what the parser did not expect, and where the enclosing part begins.
func asSyntaxError(err error, data []byte) error {
	line, message := mistake.Of(err, data)
	return &syntaxError{line, message}
}

// resolver turns the parser's tree into nodes. It keeps the nodes it has made, so that a file of aliases to aliases takes no longer
// than its size. A node that is being made is nil.
type resolver map[*yaml.Node]*node

var kinds = map[string]kind{"!!null": kindNull, "!!bool": kindBool, "!!int": kindNumber, "!!float": kindNumber, "!!seq": kindList, "!!map": kindMapping}

func (r resolver) resolve(n *yaml.Node) (*node, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	known, met := r[n]
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return nil, &syntaxError{n.Line, "tags such as " + n.Tag + " are not supported; remove it"}
	case met && known == nil:
		return nil, &syntaxError{n.Line, fmt.Sprintf("not valid YAML: what the anchor &%s names holds itself", n.Anchor)}
	case met:
		return known, nil
	}
	r[n] = nil
	k, ok := kinds[n.ShortTag()]
	if !ok {
		k = kindText
	}
	made := &node{kind: k, line: n.Line, text: n.Value}
	var err error
	switch k {
	case kindList:
		made.items, err = r.items(n.Content)
	case kindMapping:
		made.pairs, err = r.pairs(n.Content)
	}
	r[n] = made
	return made, err
}

func (r resolver) items(content []*yaml.Node) ([]*node, error) {
	items := make([]*node, 0, len(content))
	for _, n := range content {
		item, err := r.resolve(n)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// pairs returns the keys and values of a mapping, and after them those that it merges and does not have itself.
func (r resolver) pairs(content []*yaml.Node) ([]pair, error) {
	nodes, err := r.items(content)
	if err != nil {
		return nil, err
	}
	var pairs, merged []pair
	has := make(map[string]bool)
	for i := 0; i < len(nodes); i += 2 {
		key, value := nodes[i], nodes[i+1]
		switch {
		case key.kind == kindList || key.kind == kindMapping:
			return nil, &syntaxError{key.line, fmt.Sprintf("a key must be a text, not %s", key.kind)}
		case content[i].ShortTag() == "!!merge":
			others := []*node{value}
			if value.kind == kindList {
				others = value.items
			}
			for _, other := range others {
				if other.kind != kindMapping {
					return nil, &syntaxError{key.line, "not valid YAML: <<: must be followed by a section of keys"}
				}
				merged = append(merged, other.pairs...)
			}
		case has[key.text]:
			return nil, &syntaxError{key.line, fmt.Sprintf("key %q stands here for the second time; remove one of them", key.text)}
		default:
			has[key.text] = true
			pairs = append(pairs, pair{key.text, key.line, value})
		}
	}
	for _, p := range merged {
		if !has[p.key] {
			has[p.key] = true
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}
