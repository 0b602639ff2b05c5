// Package yamltree reads a YAML document as a tree of values that know their lines.
package yamltree

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"owlatsync/internal/config/internal/mistake"
)

// Node is a YAML value and its line, with aliases and merge keys resolved.
type Node struct {
	Kind  Kind
	Line  int
	Text  string  // only of a scalar
	Items []*Node // only of a list
	Pairs []Pair  // only of a mapping, in the order of the file
}

// Pair is a key of a mapping and its value.
type Pair struct {
	Key   string
	Line  int
	Value *Node
}

// Kind says what a value is.
type Kind int

const (
	Null Kind = iota
	Text
	Number
	Bool
	List
	Mapping
)

func (k Kind) String() string {
	return [...]string{"nothing", "a text", "a number", "true or false", "a list", "a section of keys"}[k]
}

// Get returns the value of a key of a mapping.
func (n *Node) Get(key string) (*Node, bool) {
	for _, p := range n.Pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return nil, false
}

// SyntaxError is a mistake in the YAML itself.
type SyntaxError struct {
	Line    int // from 1; 0: not known
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Parse reads one YAML document, nil if there is none. Its errors are *SyntaxError and hold no value of the file.
func Parse(data []byte) (*Node, error) {
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		return nil, asSyntaxError(err, data)
	}
	var root *yaml.Node
	for _, doc := range docs {
		switch body := doc.Content[0]; {
		case body.ShortTag() == "!!null":
		case root != nil:
			return nil, &SyntaxError{body.Line, "a second YAML document begins here; the file must hold one"}
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
	return &SyntaxError{line, message}
}

// resolver turns the parser's tree into nodes. It keeps the nodes it has made, so that a file of aliases to aliases takes no longer
// than its size. A node that is being made is nil.
type resolver map[*yaml.Node]*Node

var kinds = map[string]Kind{"!!null": Null, "!!bool": Bool, "!!int": Number, "!!float": Number, "!!seq": List, "!!map": Mapping}

func (r resolver) resolve(n *yaml.Node) (*Node, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	known, met := r[n]
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return nil, &SyntaxError{n.Line, "tags such as " + n.Tag + " are not supported; remove it"}
	case met && known == nil:
		return nil, &SyntaxError{n.Line, fmt.Sprintf("not valid YAML: what the anchor &%s names holds itself", n.Anchor)}
	case met:
		return known, nil
	}
	r[n] = nil
	k, ok := kinds[n.ShortTag()]
	if !ok {
		k = Text
	}
	made := &Node{Kind: k, Line: n.Line, Text: n.Value}
	var err error
	switch k {
	case List:
		made.Items, err = r.items(n.Content)
	case Mapping:
		made.Pairs, err = r.pairs(n.Content)
	}
	r[n] = made
	return made, err
}

func (r resolver) items(content []*yaml.Node) ([]*Node, error) {
	items := make([]*Node, 0, len(content))
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
func (r resolver) pairs(content []*yaml.Node) ([]Pair, error) {
	nodes, err := r.items(content)
	if err != nil {
		return nil, err
	}
	var pairs, merged []Pair
	has := make(map[string]bool)
	for i := 0; i < len(nodes); i += 2 {
		key, value := nodes[i], nodes[i+1]
		switch {
		case key.Kind == List || key.Kind == Mapping:
			return nil, &SyntaxError{key.Line, fmt.Sprintf("a key must be a text, not %s", key.Kind)}
		case content[i].ShortTag() == "!!merge":
			others := []*Node{value}
			if value.Kind == List {
				others = value.Items
			}
			for _, other := range others {
				if other.Kind != Mapping {
					return nil, &SyntaxError{key.Line, "not valid YAML: <<: must be followed by a section of keys"}
				}
				merged = append(merged, other.Pairs...)
			}
		case has[key.Text]:
			return nil, &SyntaxError{key.Line, fmt.Sprintf("key %q stands here for the second time; remove one of them", key.Text)}
		default:
			has[key.Text] = true
			pairs = append(pairs, Pair{key.Text, key.Line, value})
		}
	}
	for _, p := range merged {
		if !has[p.Key] {
			has[p.Key] = true
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}
