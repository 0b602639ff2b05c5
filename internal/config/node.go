package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a YAML value and its line, with aliases and merge keys resolved.
type node struct {
	kind  kind
	line  int
	text  string  // of a scalar
	items []*node // of a list
	pairs []pair  // of a mapping, in the order of the file
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
	line    int
	message string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

// parseYAML reads one YAML document. Its errors are *syntaxError and hold no value of the file.
func parseYAML(data []byte) (*node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, asSyntaxError(err)
	}
	r := resolver{anchors: make(map[string]*node)}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, &syntaxError{lineOf(doc.Body), "a second YAML document begins here; the file must hold one"}
		}
		if root, err = r.resolve(doc.Body); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// asSyntaxError drops the excerpt of the file that the parser's errors print: it may hold a secret.
func asSyntaxError(err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok {
		line := 0
		if t := e.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		message, _, _ := strings.Cut(e.GetMessage(), "\n")
		if name, _, ok := strings.Cut(message, " already defined at "); ok && strings.HasPrefix(name, "mapping key ") {
			return &syntaxError{line, strings.TrimPrefix(name, "mapping ") + " stands here for the second time; remove one of them"}
		}
		if strings.Contains(message, "'\t'") {
			message = "a tab stands where YAML wants blanks; indent with blanks"
		}
		if strings.Contains(message, "not allowed in this context") {
			message = "this cannot stand here; is a quote above it not closed, or the indentation wrong?"
		}
		return &syntaxError{line, "not valid YAML: " + message}
	}
	return &syntaxError{0, "not valid YAML"}
}

// resolver turns the parser's tree into nodes.
type resolver struct {
	anchors map[string]*node
}

func (r *resolver) resolve(n ast.Node) (*node, error) {
	line := lineOf(n)
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return &node{kind: kindNull, line: line}, nil
	case *ast.StringNode:
		return &node{kind: kindText, line: line, text: n.Value}, nil
	case *ast.LiteralNode:
		return &node{kind: kindText, line: line, text: n.Value.Value}, nil
	case *ast.BoolNode:
		return &node{kind: kindBool, line: line, text: n.Token.Value}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: kindNumber, line: line, text: n.GetToken().Value}, nil
	case *ast.SequenceNode:
		list := &node{kind: kindList, line: line}
		for _, v := range n.Values {
			item, err := r.resolve(v)
			if err != nil {
				return nil, err
			}
			list.items = append(list.items, item)
		}
		return list, nil
	case *ast.MappingNode:
		return r.mapping(n.Values, line)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n}, line)
	case *ast.AnchorNode:
		value, err := r.resolve(n.Value)
		if err != nil {
			return nil, err
		}
		r.anchors[n.Name.GetToken().Value] = value
		return value, nil
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		value, ok := r.anchors[name]
		if !ok {
			return nil, &syntaxError{line, fmt.Sprintf("not valid YAML: there is no anchor &%s above", name)}
		}
		return value, nil
	case *ast.TagNode:
		return nil, &syntaxError{line, "tags such as " + n.Start.Value + " are not supported; remove it"}
	}
	return nil, &syntaxError{line, "not valid here: " + strings.ToLower(n.Type().String())}
}

func (r *resolver) mapping(values []*ast.MappingValueNode, line int) (*node, error) {
	m := &node{kind: kindMapping, line: line}
	var merged []*node
	for _, v := range values {
		value, err := r.resolve(v.Value)
		if err != nil {
			return nil, err
		}
		if v.Key.IsMergeKey() {
			if value.kind == kindList {
				merged = append(merged, value.items...)
			} else {
				merged = append(merged, value)
			}
			continue
		}
		key := v.Key.GetToken()
		// An empty value has no place of its own.
		if value.kind == kindNull {
			value.line = key.Position.Line
		}
		if _, twice := m.get(key.Value); twice {
			return nil, &syntaxError{key.Position.Line, fmt.Sprintf("key %q stands here for the second time; remove one of them", key.Value)}
		}
		m.pairs = append(m.pairs, pair{key.Value, key.Position.Line, value})
	}
	for _, other := range merged {
		if other.kind != kindMapping {
			return nil, &syntaxError{line, "not valid YAML: <<: must be followed by a section of keys"}
		}
		for _, p := range other.pairs {
			if _, own := m.get(p.key); !own {
				m.pairs = append(m.pairs, p)
			}
		}
	}
	return m, nil
}

// lineOf returns the line on which the value begins, 0 when that is unknown.
func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return lineOf(m.Values[0])
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return tokenLine(m.Key.GetToken())
	}
	return tokenLine(n.GetToken())
}

func tokenLine(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}
