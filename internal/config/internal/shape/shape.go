// Package shape has what values of the configuration file may look like, for its JSON Schema. It reads no file: what a value means is
// decided by whoever decodes it.
package shape

import "github.com/invopop/jsonschema"

// Off is the word for never.
const Off = "off"

type (
	Rate   struct{} // how many requests a second the API gets
	Gentle struct{} // how many requests a second the links in mails get
)

// JSONSchema describes the values that the file may have.
func (Rate) JSONSchema() *jsonschema.Schema { return rateSchema(10) }

// JSONSchema describes the values that the file may have.
func (Gentle) JSONSchema() *jsonschema.Schema { return rateSchema(20) }

func rateSchema(standard int) *jsonschema.Schema {
	return &jsonschema.Schema{
		OneOf:   []*jsonschema.Schema{{Type: "number", ExclusiveMinimum: "0"}, {Type: "string", Pattern: `\$\{`}},
		Default: standard,
	}
}

// Whole is a whole number or a text that holds a variable.
type Whole struct{}

// JSONSchema describes the values that the file may have.
func (Whole) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "0"}, {Type: "string", Pattern: `\$\{`}}}
}

// Place is the number of a part, from either end.
type Place struct{}

// JSONSchema describes the values that the file may have.
func (Place) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Not: &jsonschema.Schema{Const: 0}}, {Type: "string", Pattern: `\$\{`}}}
}

// Scalar is a text, a number, true or false.
type Scalar struct{}

// JSONSchema describes the values that the file may have.
func (Scalar) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
}

// Words is a value of a column or a list of them.
type Words struct{}

// JSONSchema describes the values that the file may have.
func (Words) JSONSchema() *jsonschema.Schema {
	one := []*jsonschema.Schema{{Type: "string", MinLength: new(uint64(1))}, {Type: "number"}, {Type: "boolean"}}
	return &jsonschema.Schema{OneOf: append(one, &jsonschema.Schema{Type: "array", MinItems: new(uint64(1)), Items: &jsonschema.Schema{OneOf: one[:3:3]}})}
}

// Filter is a filter of MongoDB.
type Filter struct{}

// JSONSchema describes the values that the file may have.
func (Filter) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "object"}, {Type: "string"}}}
}

// Span is a duration.
type Span struct{}

const spanPattern = `^([0-9]+d|([0-9]+(\.[0-9]+)?(h|m|s))+)$|\$\{`

// JSONSchema describes the values that the file may have.
func (Span) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: spanPattern, Default: "24h"}
}

// Fresh is a duration, or the word for never.
type Fresh struct{}

// JSONSchema describes the values that the file may have.
func (Fresh) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: spanPattern}, {Type: "string", Enum: []any{Off}}}, Default: "10m"}
}

// Overlap is a duration or a whole number.
type Overlap struct{}

// JSONSchema describes the values that the file may have.
func (Overlap) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: spanPattern}, {Type: "integer", Minimum: "1"}}}
}

// Columns is a column or a list of columns.
type Columns struct{}

// JSONSchema describes the values that the file may have.
func (Columns) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string"},
		{Type: "array", Items: &jsonschema.Schema{Type: "string"}, UniqueItems: true},
	}}
}

// Reflector returns what makes the schema of a section of its struct.
func Reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
}

func spanSchema(standard string, words ...any) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", Pattern: spanPattern, Default: standard}
	if len(words) > 0 {
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: spanPattern}, {Type: "string", Enum: words}}, Default: standard}
	}
	return s
}

// Durations with their defaults, and the hash of a password.
type (
	Poll         struct{} // how often a cursor is asked for
	Jitter       struct{} // the most that a run is put off
	Stop         struct{} // how long a stop waits
	Age          struct{} // how old a delivery may be
	Silent       struct{} // how long silence lasts
	PasswordHash struct{} // the hash of a password
)

// JSONSchema describes the values that the file may have.
func (PasswordHash) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^argon2id:m=[0-9]+,t=[0-9]+,p=[0-9]+:[A-Za-z0-9_-]{22}:[A-Za-z0-9_-]{43}$|\$\{`}
}

// JSONSchema describes the values that the file may have.
func (Poll) JSONSchema() *jsonschema.Schema { return spanSchema("off", Off) }

// JSONSchema describes the values that the file may have.
func (Jitter) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^0s?$|` + spanPattern, Default: "0s"}
}

// JSONSchema describes the values that the file may have.
func (Stop) JSONSchema() *jsonschema.Schema { return spanSchema("30s") }

// JSONSchema describes the values that the file may have.
func (Age) JSONSchema() *jsonschema.Schema { return spanSchema("5m") }

// JSONSchema describes the values that the file may have.
func (Silent) JSONSchema() *jsonschema.Schema { return spanSchema("7d", Off) }

// Proxies is a range of addresses or a list of them.
type Proxies struct{}

// JSONSchema describes the values that the file may have.
func (Proxies) JSONSchema() *jsonschema.Schema {
	one := &jsonschema.Schema{Type: "string"}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, {Type: "array", Items: one}}}
}
