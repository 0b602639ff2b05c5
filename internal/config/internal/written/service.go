package written

import (
	"github.com/invopop/jsonschema"

	"owlatsync/internal/config/internal/shape"
)

// Serve is the section serve.
type Serve struct {
	Listen     string        `json:"listen,omitempty" jsonschema:"default=127.0.0.1:8420" jsonschema_description:"Address and port of the API, the metrics, the health and the webhook route. Another address than this machine's own needs tokens or accounts."`
	Public     string        `json:"public,omitempty" jsonschema_description:"Address and port of a second listener that has the webhook route and the health alone, for what everybody may reach."`
	TLS        TLS           `json:"tls,omitempty" jsonschema_description:"Certificate of both listeners. A renewed file is taken over by itself."`
	Proxies    shape.Proxies `json:"trusted_proxies,omitempty" jsonschema_description:"Addresses or ranges of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8."`
	URL        string        `json:"url,omitempty" jsonschema_description:"Where people reach the service, for links in alerts, such as https://sync.example.com."`
	Tokens     []Token       `json:"tokens,omitempty" jsonschema_description:"Who may use the API. \"owlat-sync token\" makes a token."`
	Accounts   []Account     `json:"accounts,omitempty" jsonschema_description:"Who may sign in to the page. \"owlat-sync account\" makes an account."`
	TimeZone   string        `json:"time_zone,omitempty" jsonschema:"default=UTC" jsonschema_description:"Time zone of cron expressions, such as Europe/Berlin."`
	Jitter     shape.Jitter  `json:"jitter,omitempty" jsonschema_description:"The most that a scheduled run is put off, so that many services do not run at the same instant. Each sync has its own part of it."`
	StopWithin shape.Stop    `json:"stop_within,omitempty" jsonschema_description:"How long a stop waits for what is in flight before it aborts."`
	LogFormat  string        `json:"log_format,omitempty" jsonschema:"enum=text,enum=json,default=text" jsonschema_description:"Form of the log lines of the service."`
}

// TLS is the section tls of serve.
type TLS struct {
	Cert string `json:"cert" jsonschema_description:"File with the certificate and its chain, in PEM form."`
	Key  string `json:"key" jsonschema_description:"File with the private key, in PEM form."`
}

// Token is an item of tokens.
type Token struct {
	Name string `json:"name" jsonschema_description:"Who has the token, for the log."`
	Role string `json:"role" jsonschema:"enum=viewer,enum=operator" jsonschema_description:"viewer sees how syncs stand, without addresses; operator sees everything and starts, approves and cancels runs."`
	Hash string `json:"hash" jsonschema:"pattern=^sha256:[0-9a-f]{64}$|\\$\\{" jsonschema_description:"Hash of the token, as \"owlat-sync token\" prints it. The token itself stands nowhere."`
}

// Account is an item of accounts.
type Account struct {
	Name string             `json:"name" jsonschema_description:"Who signs in with it."`
	Role string             `json:"role" jsonschema:"enum=viewer,enum=operator" jsonschema_description:"viewer sees how syncs stand, without addresses; operator sees everything and starts, approves and cancels runs."`
	Hash shape.PasswordHash `json:"hash" jsonschema_description:"Hash of the password, as \"owlat-sync account\" prints it. The password itself stands nowhere."`
}

// Webhooks is the section webhooks.
type Webhooks struct {
	Secrets     shape.Words  `json:"secrets" jsonschema_description:"Secrets of the webhook in Owlat, such as ${OWLAT_WEBHOOK_SECRET}; several while one is replaced by another."`
	MaxAge      shape.Age    `json:"max_age,omitempty" jsonschema_description:"How far the time of a delivery may be from now."`
	SilentAfter shape.Silent `json:"silent_after,omitempty" jsonschema_description:"How long no webhook may come before \"check\" and alerts tell so, if people did leave or mail was sent meanwhile. off: never."`
}

// FeedbackKey is the word poll, or a section.
type FeedbackKey struct{}

// Feedback is the section feedback.
type Feedback struct {
	Poll string `json:"poll,omitempty" jsonschema:"default=every 15m" jsonschema_description:"How often, such as every 15m, from 1m on. off: never."`
	Read string `json:"read,omitempty" jsonschema:"enum=moved,enum=all,default=moved" jsonschema_description:"moved: list the contacts, one request for 100, and read those that were changed. all: read everybody who was put on a topic, with the unsubscribe secret alone."`
}

// JSONSchema describes the values that the file may have.
func (FeedbackKey) JSONSchema() *jsonschema.Schema {
	whole := shape.Reflector().Reflect(&Feedback{})
	whole.Version = ""
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Enum: []any{"poll", "off"}}, whole}}
}

// WriteBack is an item of write_back.
type WriteBack struct {
	Name      string      `json:"name,omitempty" jsonschema_description:"Name of the write-back. Deliveries that wait belong to it, so keep it."`
	On        shape.Words `json:"on" jsonschema_description:"The events: topic.unsubscribed, email.bounced (for good), email.complained, contact.created."`
	Sync      string      `json:"sync,omitempty" jsonschema_description:"The sync into whose database the statement writes, and whose rows' keys :key is. Needed if there are several syncs."`
	DSN       string      `json:"dsn,omitempty" jsonschema_description:"Another connection for the statement, such as one of a user that may write. Without it that of the sync's source."`
	Statement string      `json:"statement,omitempty" jsonschema_description:"One UPDATE, INSERT, DELETE or CALL with named parameters: :email, :contact_id, :topic, :topic_name, :key, :event, :reason, :at. It may be run more than once for one event."`
	File      string      `json:"file,omitempty" jsonschema_description:"NDJSON file to which a line is appended for each event."`
	Webhook   Hook        `json:"webhook,omitempty" jsonschema_description:"Webhook of your own that gets each event as JSON."`
}

// Hook is a webhook of the user's own.
type Hook struct {
	URL    string `json:"url" jsonschema_description:"Where to send; https, or http on this machine or in a private network."`
	Secret string `json:"secret,omitempty" jsonschema_description:"Signs what is sent, as Standard Webhooks (standardwebhooks.com) says."`
}

// Alert is an item of alerts.
type Alert struct {
	Name    string      `json:"name,omitempty" jsonschema_description:"Name of the channel, for \"owlat-sync alert test\"."`
	On      shape.Words `json:"on,omitempty" jsonschema_description:"What is told: failure, held, rows, stale, silent, write_back, configuration, recovery. Without it everything."`
	Slack   URL         `json:"slack,omitempty" jsonschema_description:"Incoming webhook of Slack, or of what takes the same."`
	Discord URL         `json:"discord,omitempty" jsonschema_description:"Webhook of a Discord channel."`
	Ntfy    Ntfy        `json:"ntfy,omitempty" jsonschema_description:"Topic of an ntfy server."`
	Webhook Hook        `json:"webhook,omitempty" jsonschema_description:"Webhook of your own that gets each alert as JSON."`
	Email   Mail        `json:"email,omitempty" jsonschema_description:"Mail by SMTP."`
	Owlat   OwlatMail   `json:"owlat,omitempty" jsonschema_description:"A transactional mail of Owlat. The key needs the scope transactional:send."`
}

// URL is a channel that has an address alone.
type URL struct {
	URL string `json:"url" jsonschema_description:"The address, best as a variable, because whoever knows it can post."`
}

// Ntfy is the channel ntfy.
type Ntfy struct {
	URL   string `json:"url" jsonschema_description:"Address of the topic, such as https://ntfy.sh/my-topic."`
	Token string `json:"token,omitempty" jsonschema_description:"Access token."`
}

// Mail is the channel email.
type Mail struct {
	Host     string      `json:"host" jsonschema_description:"SMTP server."`
	Port     shape.Whole `json:"port,omitempty" jsonschema_description:"Its port. Without it 587, 465 for tls: implicit, 25 for tls: off."`
	TLS      string      `json:"tls,omitempty" jsonschema:"enum=starttls,enum=implicit,enum=off,default=starttls" jsonschema_description:"How the connection is encrypted."`
	User     string      `json:"user,omitempty" jsonschema_description:"User for the login; without it there is none."`
	Password string      `json:"password,omitempty" jsonschema_description:"Its password, best as a variable."`
	From     string      `json:"from" jsonschema_description:"Sender's address."`
	To       shape.Words `json:"to" jsonschema_description:"Recipients' addresses."`
}

// OwlatMail is the channel owlat.
type OwlatMail struct {
	Slug string      `json:"slug" jsonschema_description:"Slug of the transactional template. It gets the variables title, text, what_to_do, link, sync, run, kind."`
	To   shape.Words `json:"to" jsonschema_description:"Recipients' addresses."`
}

// Schedule is when a sync is due.
type Schedule struct{}

// ScheduleParts is a schedule with settings of its own.
type ScheduleParts struct {
	Cron     string       `json:"cron,omitempty" jsonschema_description:"Cron expression: minute, hour, day of the month, month, day of the week, or a word such as @daily."`
	Every    shape.Span   `json:"every,omitempty" jsonschema_description:"Time from the begin of one run to the begin of the next, such as 5m."`
	TimeZone string       `json:"time_zone,omitempty" jsonschema_description:"Time zone of the expression; without it that of serve."`
	Jitter   shape.Jitter `json:"jitter,omitempty" jsonschema_description:"The most that a run is put off; without it that of serve."`
}

// JSONSchema describes the values that the file may have.
func (Schedule) JSONSchema() *jsonschema.Schema {
	return textOr(&ScheduleParts{})
}
