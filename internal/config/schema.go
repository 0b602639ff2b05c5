package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// The types below are the file as written: their tags are the keys that are accepted, and what editors show about them.

type fileKeys struct {
	Owlat  owlatKeys           `json:"owlat,omitempty" jsonschema_description:"The Owlat deployment that is kept in step."`
	Ledger string              `json:"ledger,omitempty" jsonschema:"default=owlat-sync.db" jsonschema_description:"File that remembers what Owlat holds. A relative path is relative to this file. Give each deployment a ledger of its own, and keep it: without it the next run has to compare everything with Owlat again."`
	Syncs  map[string]syncKeys `json:"syncs" jsonschema:"minProperties=1" jsonschema_description:"The sources, by a name of your choice. The ledger knows a sync by its name: a renamed sync is a new one."`
}

type owlatKeys struct {
	URL               string    `json:"url,omitempty" jsonschema:"default=https://api.owlat.app" jsonschema_description:"Address of the deployment, such as https://example.convex.site. The environment variable OWLAT_URL takes precedence."`
	APIKey            string    `json:"api_key,omitempty" jsonschema_description:"API key from Owlat's settings, best as ${OWLAT_API_KEY}. It needs the scopes contacts:read and contacts:write, and topics:write where topics are used. The environment variable OWLAT_API_KEY takes precedence."`
	RequestsPerSecond numberKey `json:"requests_per_second,omitempty" jsonschema_description:"Most requests per second to send with the key. Owlat allows 10, the default; lower it where other programs use the same key."`
}

type syncKeys struct {
	Source    sourceKeys  `json:"source" jsonschema_description:"Where the rows come from. It is only ever read."`
	Key       columnsKey  `json:"key,omitempty" jsonschema_description:"Column, or list of columns, that names a row for good, usually the primary key: it lets a changed address be the same contact. Without it the address is the key."`
	Fields    fieldsKeys  `json:"fields" jsonschema_description:"Which column holds which field."`
	Topics    []topicKeys `json:"topics,omitempty" jsonschema_description:"Topics to put the contacts on."`
	Nulls     string      `json:"nulls,omitempty" jsonschema:"enum=keep,enum=clear,default=keep" jsonschema_description:"What NULL as a name does to the name in Owlat: keep leaves it, clear empties it."`
	OnMissing string      `json:"on_missing,omitempty" jsonschema:"enum=keep,default=keep" jsonschema_description:"What becomes of a contact whose row left the source: keep leaves it."`
}

type sourceKeys struct {
	DSN   string `json:"dsn" jsonschema_description:"postgres://user:password@host/database, mysql://user:password@host/database, mariadb://…, sqlite:FILE, csv:FILE or ndjson:FILE (files may be gzipped). Relative files are relative to this file."`
	Query string `json:"query,omitempty" jsonschema_description:"SELECT that gives one row per contact. Required for databases, not allowed for files."`
}

type fieldsKeys struct {
	Email     string `json:"email" jsonschema_description:"Column with the e-mail address."`
	FirstName string `json:"firstName,omitempty" jsonschema_description:"Column with the first name. Not mapped: the name in Owlat is left alone."`
	LastName  string `json:"lastName,omitempty" jsonschema_description:"Column with the last name. Not mapped: the name in Owlat is left alone."`
}

type topicKeys struct {
	ID       string `json:"id" jsonschema:"minLength=10" jsonschema_description:"The topic's id, from its page in Owlat."`
	When     string `json:"when,omitempty" jsonschema_description:"Boolean column that holds the consent of the row. Leave it out to put every row on the topic."`
	Existing string `json:"existing,omitempty" jsonschema:"enum=skip,enum=add,default=skip" jsonschema_description:"What to do with contacts that were in Owlat before this sync, or before this topic was added to the file: skip leaves them as they are, add puts those whose row consents on the topic, even if they unsubscribed from it earlier."`
}

// numberKey is a number or a text that holds a variable.
type numberKey struct{}

// JSONSchema describes what may stand in the file.
func (numberKey) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		OneOf:   []*jsonschema.Schema{{Type: "number", ExclusiveMinimum: "0"}, {Type: "string", Pattern: `\$\{`}},
		Default: 10,
	}
}

// columnsKey is a column or a list of columns.
type columnsKey struct{}

// JSONSchema describes what may stand in the file.
func (columnsKey) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string"},
		{Type: "array", Items: &jsonschema.Schema{Type: "string"}, UniqueItems: true},
	}}
}

// Schema returns the JSON Schema of the configuration file.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	s := r.Reflect(&fileKeys{})
	s.Title = "owlat-sync.yaml"
	s.Description = "Configuration of owlat-sync, which keeps the contacts of an Owlat deployment in step with the rows of a database. ${VAR} in a value is replaced by the environment variable."
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// keysOf lists the keys that a section accepts.
func keysOf[T any]() []string {
	var keys []string
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}
