// Package written has the configuration file as it is written: the keys of each section, in the tags of its struct, what editors show about
// them, and the JSON Schema that follows. It reads no file.
package written

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"owlatsync/internal/config/internal/shape"
	"owlatsync/ledger"
)

const (
	// DeploymentName is what a deployment may be called: its name stands in addresses, in names of files and in labels of metrics.
	DeploymentName = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`
	// DefaultHistoryDays is how many days the ledger keeps the history of rows if the file does not say.
	DefaultHistoryDays = int(ledger.HistoryKept / (24 * time.Hour))
	// MaxHistoryDays is a hundred years, which fits a duration.
	MaxHistoryDays = 36_500
	// Allow lifts a guard.
	Allow = "allow"
)

// File is the file itself.
type File struct {
	Owlat       Owlat           `json:"owlat,omitempty" jsonschema_description:"The Owlat deployment that is kept in step."`
	Ledger      string          `json:"ledger,omitempty" jsonschema:"default=owlat-sync.db" jsonschema_description:"File that remembers what Owlat holds. A relative path is relative to this file. Or a database of PostgreSQL, as postgres://user:password@host/database?schema=owlat_sync, for services on several machines. Give each deployment a ledger of its own, and keep it: without it the next run has to compare everything with Owlat again."`
	HistoryDays Days            `json:"history_days,omitempty" jsonschema_description:"For how many days the ledger keeps what happened to each row, for \"owlat-sync explain\", and the records of runs."`
	Serve       Serve           `json:"serve,omitempty" jsonschema_description:"How \"owlat-sync serve\" serves. Other commands ignore it."`
	Webhooks    Webhooks        `json:"webhooks,omitempty" jsonschema_description:"How the service takes in Owlat's webhooks, at /webhooks/owlat."`
	Feedback    FeedbackKey     `json:"feedback,omitempty" jsonschema_description:"poll: every 15 minutes find those who have left topics, by reading memberships, also without webhooks. Needs owlat.unsubscribe_secret."`
	WriteBack   []WriteBack     `json:"write_back,omitempty" jsonschema_description:"Where the service tells what Owlat tells of people: a statement in your database, a file, or a webhook of your own."`
	Alerts      []Alert         `json:"alerts,omitempty" jsonschema_description:"Whom the service tells when something is wrong."`
	Syncs       map[string]Sync `json:"syncs,omitempty" jsonschema:"minProperties=1" jsonschema_description:"The sources, by a name of your choice. The ledger knows a sync by its name: a renamed sync is a new one."`
	Deployments Deployments     `json:"deployments,omitempty" jsonschema_description:"Several Owlat deployments, each by a name of your choice with its own owlat, syncs and so on, in place of those here. Or a folder, relative to this file, with a file NAME.yaml for each. The ledger knows a deployment by its name."`
}

// Deployment is one of several deployments.
type Deployment struct {
	Owlat       Owlat           `json:"owlat" jsonschema_description:"The Owlat deployment that is kept in step."`
	HistoryDays Days            `json:"history_days,omitempty" jsonschema_description:"For how many days the ledger keeps what happened to each row, for \"owlat-sync explain\", and the records of runs."`
	Webhooks    Webhooks        `json:"webhooks,omitempty" jsonschema_description:"How the service takes in Owlat's webhooks, at /webhooks/owlat/ and the deployment's name."`
	Feedback    FeedbackKey     `json:"feedback,omitempty" jsonschema_description:"poll: every 15 minutes find those who have left topics, by reading memberships, also without webhooks. Needs owlat.unsubscribe_secret."`
	WriteBack   []WriteBack     `json:"write_back,omitempty" jsonschema_description:"Where the service tells what Owlat tells of people: a statement in your database, a file, or a webhook of your own."`
	Alerts      []Alert         `json:"alerts,omitempty" jsonschema_description:"Whom the service tells when something is wrong."`
	Tokens      []Token         `json:"tokens,omitempty" jsonschema_description:"Who may use the API for this deployment alone. \"owlat-sync token\" makes a token."`
	Accounts    []Account       `json:"accounts,omitempty" jsonschema_description:"Who may sign in to the page for this deployment alone. \"owlat-sync account\" makes an account."`
	Syncs       map[string]Sync `json:"syncs" jsonschema:"minProperties=1" jsonschema_description:"The sources, by a name of your choice. The ledger knows a sync by its name: a renamed sync is a new one."`
}

// Deployments is several deployments, or the folder of their files.
type Deployments struct{}

// JSONSchema describes the values that the file may have.
func (Deployments) JSONSchema() *jsonschema.Schema {
	one := shape.Reflector().Reflect(&Deployment{})
	one.Version = ""
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", MinLength: new(uint64(1))},
		{Type: "object", PropertyNames: &jsonschema.Schema{Pattern: DeploymentName}, AdditionalProperties: one},
	}}
}

// Owlat is the section owlat.
type Owlat struct {
	URL               string     `json:"url,omitempty" jsonschema:"default=https://api.owlat.app" jsonschema_description:"Address of the deployment, such as https://example.convex.site. The environment variable OWLAT_URL takes precedence."`
	APIKey            string     `json:"api_key,omitempty" jsonschema_description:"API key from Owlat's settings, best as ${OWLAT_API_KEY}. It needs the scopes contacts:read and contacts:write, and topics:write where topics are used. The environment variable OWLAT_API_KEY takes precedence."`
	APIKeys           []string   `json:"api_keys,omitempty" jsonschema:"minItems=1" jsonschema_description:"Several API keys of a deployment of your own, in place of api_key, each best as a variable: n keys send n times as much. Not for Owlat's hosted service. The environment variable OWLAT_API_KEY counts only where the list names it."`
	RequestsPerSecond shape.Rate `json:"requests_per_second,omitempty" jsonschema_description:"Most requests per second to send with each key. Without it the sync goes as fast as Owlat says that the key may (10, unless the deployment has another limit), and gives way to other programs that use the key."`

	UnsubscribeSecret    string       `json:"unsubscribe_secret,omitempty" jsonschema_description:"The deployment's own UNSUBSCRIBE_SECRET, best as ${UNSUBSCRIBE_SECRET}. Whoever hosts Owlat has set it there. With it, memberships and the names of topics can be read, which the API cannot tell."`
	PreferencesPerSecond shape.Gentle `json:"preferences_per_second,omitempty" jsonschema_description:"Most requests per second that are sent with the unsubscribe secret. They take nothing of the key's budget, and slow down by themselves while the deployment answers slowly."`
}

// Sync is a section of syncs.
type Sync struct {
	Source         Source        `json:"source" jsonschema_description:"Where the rows come from. It is only ever read."`
	Key            shape.Columns `json:"key,omitempty" jsonschema_description:"Column, or list of columns, that names a row for good, usually the primary key: it lets a changed address be the same contact. Without it the address is the key."`
	Fields         Fields        `json:"fields" jsonschema_description:"Which column holds which field."`
	Contacts       string        `json:"contacts,omitempty" jsonschema:"enum=create,enum=match,default=create" jsonschema_description:"create: rows are kept in Owlat as contacts. match: rows only send events, to whoever in Owlat has their address; no contact is created or changed."`
	Facts          Facts         `json:"facts,omitempty" jsonschema_description:"Rows are things that happened, such as orders: each sends the events of the sync once, to whoever in Owlat has its address. No contact is created or changed."`
	Topics         []Topic       `json:"topics,omitempty" jsonschema_description:"Topics to put the contacts on."`
	Suppressed     Never         `json:"suppressed,omitempty" jsonschema_description:"Column that says to whom no mail may ever go: a yes opts the person out of everything in Owlat, before anything else of the run and for good, whatever else the row says. Nothing takes that back but the person. A section with column, yes and no lists other values than the usual ones. It needs the unsubscribe secret; without it the contact only leaves the topics of this sync."`
	Nulls          string        `json:"nulls,omitempty" jsonschema:"enum=keep,enum=clear,default=keep" jsonschema_description:"What NULL as a name does to the name in Owlat: keep leaves it, clear empties it."`
	Overwrite      string        `json:"overwrite,omitempty" jsonschema:"enum=always,enum=if_ours,enum=if_empty,enum=never,default=always" jsonschema_description:"Who owns the fields of contacts that are in Owlat: always, the source; if_ours, the source while Owlat holds what this sync last wrote, so that a correction made in Owlat stays; if_empty, the source only fills what is empty; never, Owlat. A field may say otherwise. The address is a field too: under never and if_empty a changed address in the source does not change the contact's."`
	Duplicates     Duplicates    `json:"duplicates,omitempty" jsonschema_description:"What counts when several rows have one address, or one key. One row wins: the one whose contact it is, else the first in the source, so that ORDER BY in the query chooses."`
	OnMissing      string        `json:"on_missing,omitempty" jsonschema:"enum=keep,enum=leave_topics,enum=delete,default=keep" jsonschema_description:"What becomes of a contact whose row left the source: keep leaves it as it is, leave_topics takes it off the topics of this sync, delete deletes it if this sync created it and takes it off the topics otherwise. Only after the source was read to its end, in a run without failures, and within the guards. A delete comes last, or right before the row that needs the address."`
	OnRemoteDelete string        `json:"on_remote_delete,omitempty" jsonschema:"enum=keep,enum=recreate,default=keep" jsonschema_description:"What becomes of a row whose contact was deleted in Owlat: keep leaves it deleted, because it may have been an erasure request, recreate creates it again, on no topic but those with \"existing: add\"."`
	Fresh          shape.Fresh   `json:"fresh,omitempty" jsonschema_description:"How long a run acts on what it has read of the source, such as 10m. If there is more to do, it reads and plans again, so that nobody is added who has withdrawn the consent meanwhile. off: a run reads its source once."`
	Schedule       Schedule      `json:"schedule,omitempty" jsonschema_description:"When \"owlat-sync serve\" runs the sync: a cron expression such as \"*/5 * * * *\", or every and a duration, such as every 5m."`
	StaleAfter     shape.Fresh   `json:"stale_after,omitempty" jsonschema_description:"How long after its last good run the sync counts as stale, and alerts tell so. Without it: three times the time between two runs of the schedule, at least 15m. off: never."`
	Guards         Guards        `json:"guards,omitempty" jsonschema_description:"What holds a run that looks like an accident. A held run changes nothing and waits for \"owlat-sync approve\"."`
	Events         []Event       `json:"events,omitempty" jsonschema_description:"Events to send to Owlat, each at most once. The key needs the scope events:write."`
}

// Source is the section source of a sync.
type Source struct {
	DSN   string `json:"dsn" jsonschema_description:"postgres://user:password@host/database, mysql://user:password@host/database, mariadb://…, mongodb://user:password@host/database, sqlite:FILE, csv:FILE, ndjson:FILE (both may be gzipped) or xlsx:FILE?sheet=NAME. Relative files are relative to this file."`
	Query string `json:"query,omitempty" jsonschema_description:"SELECT that gives one row per contact. Required for databases, not allowed for files and MongoDB."`

	Collection string       `json:"collection,omitempty" jsonschema_description:"Collection with one document per contact. Only for MongoDB, where it is required. Columns are then paths of fields, such as name.first."`
	Filter     shape.Filter `json:"filter,omitempty" jsonschema_description:"Which documents count, in MongoDB's query language, such as {active: true, deletedAt: null}: keys and values, or a text that holds such JSON. Only for MongoDB."`

	Cursor    string        `json:"cursor,omitempty" jsonschema_description:"Column of the query that grows whenever a row changes: a time, a date or a whole number. Runs then read only rows that changed since the last one. Needs an index on the column to be worth it, and a key."`
	Overlap   shape.Overlap `json:"overlap,omitempty" jsonschema_description:"How far before the last row read a run begins to read: longer than any transaction that changes rows. A duration such as 10m for times and dates (the default), a number for whole numbers (without default)."`
	Listen    string        `json:"listen,omitempty" jsonschema_description:"Channel of PostgreSQL whose notifications wake the sync while \"owlat-sync serve\" runs. A payload that lists keys, such as 17 or [17, 18], reads just those rows."`
	Poll      shape.Poll    `json:"poll,omitempty" jsonschema_description:"How often \"owlat-sync serve\" asks the database whether the cursor has moved, such as 2s, and runs the sync if it has. Needs a cursor. off: never."`
	FullEvery shape.Span    `json:"full_every,omitempty" jsonschema_description:"How often all rows are read although there is a cursor, such as 24h or 7d: only that finds rows that are gone."`
}

// Fields has a key for the address, for each of owlatsync.ContactFields, and for the whole name.
type Fields struct {
	Email     Field `json:"email" jsonschema_description:"Column with the e-mail address. Of a file also what is made of it, such as {column: contact, split: \";\", part: 1}."`
	FirstName Field `json:"firstName,omitempty" jsonschema_description:"Column with the first name. Not mapped: the name in Owlat is left alone."`
	LastName  Field `json:"lastName,omitempty" jsonschema_description:"Column with the last name. Not mapped: the name in Owlat is left alone."`
	FullName  Field `json:"fullName,omitempty" jsonschema_description:"Column with the whole name, in place of firstName and lastName: the first word is the first name, the rest the last name; in \"Lovelace, Ada\" what stands before the comma is the last name. Titles such as Dr. belong to neither."`
}

// Field is a column, or what is made of one.
type Field struct{}

// FieldParts is the long form of a field.
type FieldParts struct {
	Column string      `json:"column,omitempty" jsonschema_description:"The column."`
	Trim   string      `json:"trim,omitempty" jsonschema_description:"Characters that are removed at both ends, with the blanks there, such as \"'*\"."`
	Split  string      `json:"split,omitempty" jsonschema_description:"What stands between the parts of the value, such as \";\". One part counts."`
	Part   shape.Place `json:"part,omitempty" jsonschema_description:"Which part counts: from 1, or from the end with -1. A part that a value does not have is NULL."`
	Title  bool        `json:"title,omitempty" jsonschema_description:"true: ADA LOVELACE and ada lovelace are written as Ada Lovelace. What is in mixed case stays."`
	Value  string      `json:"value,omitempty" jsonschema_description:"The value of every row, in place of a column."`

	Overwrite string `json:"overwrite,omitempty" jsonschema:"enum=always,enum=if_ours,enum=if_empty,enum=never" jsonschema_description:"Who owns the field in contacts that are in Owlat, in place of what the sync says for all."`
}

// JSONSchema describes the values that the file may have.
func (Field) JSONSchema() *jsonschema.Schema {
	return textOr(&FieldParts{})
}

// Duplicates is the section duplicates of a sync.
type Duplicates struct {
	Consent string `json:"consent,omitempty" jsonschema:"enum=winner,enum=any,default=winner" jsonschema_description:"Whose when columns count: winner, those of the row that wins, or any: a yes of any of the rows."`
}

// Facts is the section facts of a sync.
type Facts struct {
	At    string `json:"at" jsonschema_description:"Column that says when it happened: a time, a date, or the seconds or milliseconds since 1970."`
	Since string `json:"since,omitempty" jsonschema_description:"From when on facts count, also in the first run, such as 2026-11-01 or 2026-11-01T08:00:00Z. Without it those count that come after the first run."`
}

// Topic is an item of topics.
type Topic struct {
	ID       string      `json:"id,omitempty" jsonschema:"minLength=10" jsonschema_description:"The topic's id, from its page in Owlat."`
	Name     string      `json:"name,omitempty" jsonschema_description:"The topic's name, in place of its id. It needs the unsubscribe secret. Beside an id it only says what the topic is called."`
	When     string      `json:"when,omitempty" jsonschema_description:"Column that holds the consent of the row: a boolean, 0 or 1, or a word such as yes or no. Leave it out to put every row on the topic."`
	Yes      shape.Words `json:"yes,omitempty" jsonschema_description:"Values of the column that mean yes, in place of the usual ones: texts in any letter case, or numbers. What is neither yes nor no is unclear: it adds nobody and removes nobody."`
	No       shape.Words `json:"no,omitempty" jsonschema_description:"Values of the column that mean no, in place of the usual ones. NULL and an empty text always mean no."`
	Existing string      `json:"existing,omitempty" jsonschema:"enum=skip,enum=add,default=skip" jsonschema_description:"What to do with contacts that were in Owlat before this sync, or before this topic was added to the file: skip leaves them as they are, add puts those whose row consents on the topic, even if they unsubscribed from it earlier."`
}

// Suppressed is the long form of the key suppressed of a sync.
type Suppressed struct {
	Column string      `json:"column" jsonschema_description:"Column of the query: a boolean, 0 or 1, or a word such as yes or no."`
	Yes    shape.Words `json:"yes,omitempty" jsonschema_description:"Values of the column that mean yes, in place of the usual ones: texts in any letter case, or numbers. A row whose value is neither yes nor no is invalid."`
	No     shape.Words `json:"no,omitempty" jsonschema_description:"Values of the column that mean no, in place of the usual ones. NULL and an empty text always mean no."`
}

// Guards is the section guards of a sync.
type Guards struct {
	Removals    Limit  `json:"removals,omitempty" jsonschema_description:"Holds a run in which more rows than \"rows\" would leave a topic or be deleted, if they are also more than \"share\" of the rows that the ledger knows. allow: never."`
	Updates     Limit  `json:"updates,omitempty" jsonschema_description:"Holds a run in which more rows than \"rows\" would change, if they are also more than \"share\" of the rows that the ledger knows, as after two columns were swapped. allow: never."`
	Creates     Limit  `json:"creates,omitempty" jsonschema_description:"Holds a run, after the first one, that would create more contacts than \"rows\", if they are also more than \"share\" of the rows that the ledger knows, as after a query lost its WHERE. allow: never."`
	TopicAdds   Limit  `json:"topic_adds,omitempty" jsonschema_description:"Holds a run, after the first one, in which more rows than \"rows\" would be put on a topic, if they are also more than \"share\" of the rows that the ledger knows, as after a topic was added with existing: add. allow: never."`
	OptOuts     Limit  `json:"opt_outs,omitempty" jsonschema_description:"Holds a run in which more rows than \"rows\" would be opted out of everything for good, if they are also more than \"share\" of the rows that the ledger knows, as after suppressed names a wrong column. allow: never."`
	Events      Limit  `json:"events,omitempty" jsonschema_description:"Holds a run in which more rows than \"rows\" would send an event because of what a column says, if they are also more than \"share\" of the rows that the ledger knows, as after a column got another meaning. allow: never."`
	EmptySource string `json:"empty_source,omitempty" jsonschema:"enum=hold,enum=allow,default=hold" jsonschema_description:"Whether to hold a run whose source has no rows although the ledger knows some."`
	FirstRun    string `json:"first_run,omitempty" jsonschema:"enum=ask,enum=allow,default=ask" jsonschema_description:"Whether the first run, which fires automations for every new contact, asks before it writes (or needs --yes)."`
}

// Limits is the long form of a guard.
type Limits struct {
	Share string      `json:"share,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)? ?%$" jsonschema_description:"Part of the rows that the ledger knows, as a percentage such as 10%."`
	Rows  shape.Whole `json:"rows,omitempty" jsonschema_description:"Number of rows that pass whatever their share."`
}

// Event is an item of events.
type Event struct {
	Name       string              `json:"name" jsonschema:"pattern=^[a-zA-Z][a-zA-Z0-9_-]*$,maxLength=100" jsonschema_description:"The event's name, as automations in Owlat know it."`
	On         string              `json:"on,omitempty" jsonschema:"enum=created,enum=updated,enum=appears" jsonschema_description:"When it is sent: created when the contact was created, updated when its address or a name was changed, appears when the sync met the row for the first time."`
	When       string              `json:"when,omitempty" jsonschema_description:"In place of on: a column that holds yes or no. The event is sent when it goes from no to yes, once until it says no again. A row that comes after the first run has said no before."`
	Changes    string              `json:"changes,omitempty" jsonschema_description:"In place of on: a column. The event is sent when its value changes, with the properties old and new. A new row has changed nothing."`
	From       shape.Words         `json:"from,omitempty" jsonschema_description:"Only with changes: the value, or a list of values, that the column must have had before."`
	To         shape.Words         `json:"to,omitempty" jsonschema_description:"Only with changes: the value, or a list of values, that the column must have now."`
	Existing   string              `json:"existing,omitempty" jsonschema:"enum=skip,enum=fire,default=skip" jsonschema_description:"Only with when and changes: what rows say already when the first run, or the first one with this event, meets them. skip sends nothing for it, fire sends the event for each yes, or with changes for each value that to lets pass."`
	Properties map[string]Property `json:"properties,omitempty" jsonschema_description:"Properties of the event and the columns they come from, or a value for all, as {value: 3}. Their values alone make no row a changed one."`
}

// Property is the column of a property of an event, or its value.
type Property struct{}

// Constant is the long form of a property.
type Constant struct {
	Value shape.Scalar `json:"value" jsonschema_description:"The same in every event: a text, a number, true or false."`
}

// JSONSchema describes the values that the file may have.
func (Property) JSONSchema() *jsonschema.Schema {
	return textOr(&Constant{})
}

// Days is a number of days or a text that holds a variable.
type Days struct{}

// JSONSchema describes the values that the file may have.
func (Days) JSONSchema() *jsonschema.Schema {
	s := shape.Whole{}.JSONSchema()
	s.OneOf[0].Minimum, s.OneOf[0].Maximum, s.Default = "1", json.Number(strconv.Itoa(MaxHistoryDays)), DefaultHistoryDays
	return s
}

// Limit is a limit of a guard, or the word that lifts it.
type Limit struct{}

// JSONSchema describes the values that the file may have.
func (Limit) JSONSchema() *jsonschema.Schema {
	limit := shape.Reflector().Reflect(&Limits{})
	limit.Version = ""
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Enum: []any{Allow}}, limit}}
}

// Never is the column that says to whom no mail may ever go, or a section about it.
type Never struct{}

// JSONSchema describes the values that the file may have.
func (Never) JSONSchema() *jsonschema.Schema {
	long := shape.Reflector().Reflect(&Suppressed{})
	long.Version = ""
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, long}}
}

// textOr describes a text, or the section of a struct in its place.
func textOr(section any) *jsonschema.Schema {
	long := shape.Reflector().Reflect(section)
	long.Version = ""
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, long}}
}

// Schema returns the JSON Schema of the configuration file.
func Schema() ([]byte, error) {
	s := shape.Reflector().Reflect(&File{})
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"syncs"}}, {Required: []string{"deployments"}}}
	s.Title = "owlat-sync.yaml"
	s.Description = "Configuration of owlat-sync, which keeps the contacts of an Owlat deployment in step with the rows of a database. ${VAR} in a value is replaced by the environment variable."
	return text(s)
}

// DeploymentSchema returns the JSON Schema of a file in the folder of deployments.
func DeploymentSchema() ([]byte, error) {
	s := shape.Reflector().Reflect(&Deployment{})
	s.Title = "A deployment of owlat-sync.yaml"
	s.Description = "One of several Owlat deployments whose contacts owlat-sync keeps in step. The name of the file, without .yaml, is that of the deployment."
	return text(s)
}

func text(s *jsonschema.Schema) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// KeysOf lists the keys that a section accepts, in the order of its struct.
func KeysOf[T any]() []string {
	var keys []string
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}
