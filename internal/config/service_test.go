package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	hash = "sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
	post = "{url: https://hooks.example/T0/secretpart}"
)

// served is the configuration valid with more sections, and more lines in its sync and in its source.
func served(sections, inSync, inSource string) string {
	file := strings.Replace(valid, "    fields:", inSource+inSync+"    fields:", 1)
	return strings.Replace(file, "dsn: sqlite:app.db", "dsn: postgres://app@db.example/app", 1) + sections
}

func TestServiceSections(t *testing.T) {
	t.Parallel()
	file := served(`serve:
  listen: 0.0.0.0:9000
  public: "[::]:9001"
  tls: {cert: tls/cert.pem, key: /etc/key.pem}
  trusted_proxies: [10.0.0.5/8, 192.0.2.1]
  url: https://sync.example.com/
  tokens: [{name: ci, role: operator, hash: "`+hash+`"}, {name: wall, role: viewer, hash: "`+hash+`"}]
  time_zone: Europe/Berlin
  jitter: 20s
  stop_within: 1m
  log_format: json
webhooks: {secrets: ["${HOOK_SECRET}", whsec_old], max_age: 10m, silent_after: off}
write_back:
  - {on: topic.unsubscribed, statement: "UPDATE users SET newsletter = false WHERE email = :email"}
  - {name: log, on: [email.bounced, email.complained], file: log/feedback.ndjson}
  - {on: [contact.created], webhook: {url: https://app.example/hook, secret: s3}}
alerts:
  - {slack: `+post+`}
  - {name: night, on: [held, recovery], email: {host: mail.example.com, from: a@example.com, to: b@example.com, user: u, password: p, port: 2525, tls: off}}
  - {owlat: {slug: alarm, to: [a@example.com, b@example.com]}}
  - {ntfy: {url: https://ntfy.example/t, token: tk}}
`, "    schedule: {cron: '0  6 * * 1', jitter: 0s}\n    stale_after: 2h\n", "      listen: users_changed\n")
	cfg, err := Parse("/etc/owlat/f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey, "HOOK_SECRET": "whsec_new"}))
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	text := cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() })
	others := cmp.Options{text, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	s := cfg.Service
	if len(s.Tokens) != 2 || s.Tokens[0].Name != "ci" || s.Tokens[0].Role != Operator || s.Tokens[1].Role != Viewer || s.Tokens[0].Hash[0] != 0x5e || s.Line == 0 {
		t.Errorf("the tokens are %+v", s.Tokens)
	}
	s.Tokens, s.Line = nil, 0
	want := Service{
		Listen: "0.0.0.0:9000", Public: "[::]:9001", TLS: TLS{Cert: "/etc/owlat/tls/cert.pem", Key: "/etc/key.pem"}, URL: "https://sync.example.com",
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}, Zone: berlin, Jitter: 20 * time.Second,
		StopWithin: time.Minute, LogJSON: true,
	}
	if diff := cmp.Diff(want, s, others); diff != "" {
		t.Errorf("serve (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Webhooks{Secrets: []Secret{"whsec_new", "whsec_old"}, MaxAge: 10 * time.Minute}, cfg.Webhooks, others); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}
	w := cfg.WriteBacks
	if len(w) != 3 || w[0].Name != "statement users" || w[0].Statement == nil || w[0].Statement.Sync != "users" || w[0].Statement.Target.Kind() != "postgres" ||
		w[1].Name != "log" || w[1].Path != "/etc/owlat/log/feedback.ndjson" || len(w[1].On) != 2 || w[2].Name != "webhook" || w[2].Hook.Secret.Reveal() != "s3" {
		t.Errorf("the write-backs are %+v", w)
	}
	a := cfg.Alerts
	if len(a) != 4 || a[0].Name != "slack" || a[0].Slack.Reveal() != "https://hooks.example/T0/secretpart" || len(a[0].On) != len(AlertKinds) ||
		a[1].Name != "night" || !cmp.Equal(a[1].On, []string{AlertHeld, AlertRecovery}) || a[1].Mail.Port != 2525 || a[1].Mail.TLS != "off" ||
		len(a[2].Owlat.To) != 2 || a[3].Ntfy.Token.Reveal() != "tk" {
		t.Errorf("the alerts are %+v", a)
	}
	users := cfg.Syncs[0]
	if diff := cmp.Diff(Schedule{Text: "0 6 * * 1", Cron: "0 6 * * 1", Zone: berlin}, users.Schedule, others); diff != "" {
		t.Errorf("schedule (-want +got):\n%s", diff)
	}
	if users.StaleAfter != 2*time.Hour || users.Listen != "users_changed" {
		t.Errorf("the sync is %+v", users)
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lines string
		want  Schedule
	}{
		{"schedule: every 5m", Schedule{Text: "every 5m", Every: 5 * time.Minute, Zone: time.UTC}},
		{"schedule: every   1d", Schedule{Text: "every 1d", Every: 24 * time.Hour, Zone: time.UTC}},
		{"schedule: '@hourly'", Schedule{Text: "@hourly", Cron: "@hourly", Zone: time.UTC}},
		{"schedule: {every: 90s, jitter: 10s}", Schedule{Text: "every 90s", Every: 90 * time.Second, Jitter: 10 * time.Second, Zone: time.UTC}},
		{"nulls: keep", Schedule{}},
	} {
		cfg, err := Parse("f.yaml", []byte(served("", "    "+test.lines+"\n", "")), env(map[string]string{EnvAPIKey: testKey}))
		if err != nil {
			t.Errorf("%s: %v", test.lines, err)
			continue
		}
		if got := cfg.Syncs[0].Schedule; got != test.want {
			t.Errorf("%s: %+v, want %+v", test.lines, got, test.want)
		}
	}
}

func TestBadService(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ sections, inSync, inSource, want string }{
		{"serve: 8080\n", "", "", `serve: must be a section of keys, such as "listen: …", not a number`},
		{"serve: {listen: 8080}\n", "", "", "serve.listen: must be an address and a port, such as 127.0.0.1:8420"},
		{"serve: {listen: '127.0.0.1:99999'}\n", "", "", "serve.listen: must be an address and a port, such as 127.0.0.1:8420"},
		{"serve: {listen: ':8420'}\n", "", "", "serve.listen: can be reached from other machines, so the API needs tokens: \"owlat-sync token\" makes one; or listen at 127.0.0.1:8420"},
		{"serve: {listen: 'localhost.example:8420'}\n", "", "", "serve.listen: can be reached from other machines, so the API needs tokens: \"owlat-sync token\" makes one; or listen at 127.0.0.1:8420"},
		{"serve: {listen: '[::1]:1', public: '[::1]:1'}\n", "", "", "serve.public: is the same as listen; remove it, or name another port"},
		{"serve: {tls: {cert: a.pem}}\n", "", "", `serve.tls: "key" is missing; name the file with the private key`},
		{"serve: {trusted_proxies: [proxy]}\n", "", "", `serve.trusted_proxies[0]: "proxy" is no address or range of addresses, such as 10.0.0.0/8`},
		{"serve: {url: sync.example.com}\n", "", "", "serve.url: must be an address such as https://sync.example.com"},
		{"serve: {tokens: [{name: a, role: admin, hash: '" + hash + "'}]}\n", "", "", `serve.tokens[0].role: "admin" is not known; it can be viewer or operator`},
		{"serve: {tokens: [{name: a, role: viewer, hash: ost_secret}]}\n", "", "", `serve.tokens[0].hash: must be sha256: and 64 hexadecimal digits; "owlat-sync token" prints it. The token itself does not belong here`},
		{"serve: {tokens: [{name: a, role: viewer, hash: '" + hash + "'}, {name: a, role: viewer, hash: '" + hash + "'}]}\n", "", "", `serve.tokens[1].name: "a" is the name of a token above, too`},
		{"serve: {time_zone: Mars}\n", "", "", `serve.time_zone: "Mars" is no time zone; it is named such as Europe/Berlin or UTC`},
		{"serve: {jitter: soon}\n", "", "", "serve.jitter: must be a duration such as 30s or 10m"},
		{"serve: {stop_within: -1s}\n", "", "", "serve.stop_within: must be a duration such as 30s or 10m"},
		{"serve: {log_format: xml}\n", "", "", `serve.log_format: "xml" is not known; it can be text or json`},
		{"webhooks: {max_age: 5m}\n", "", "", `webhooks: "secrets" is missing; copy it from the webhook's page in Owlat`},
		{"webhooks: {secrets: ['${NO_SECRET}']}\n", "", "", `webhooks.secrets[0]: the environment variable NO_SECRET is not set`},
		{"webhooks: {secrets: a, max_age: 0s}\n", "", "", "webhooks.max_age: must be above 0, such as 5m"},
		{"webhooks: {secrets: a, silent_after: never}\n", "", "", "webhooks.silent_after: must be a duration such as 10m, 1h or 7d, or off"},
		{"write_back: {on: a}\n", "", "", `write_back: must be a list, each item on a line that begins with "- ", not a section of keys`},
		{"write_back: [{file: a}]\n", "", "", `write_back[0]: "on" is missing; say which events, such as [topic.unsubscribed]`},
		{"write_back: [{on: email.bounce, file: a}]\n", "", "", `write_back[0].on: "email.bounce" is not known; did you mean email.bounced?`},
		{"write_back: [{on: email.bounced}]\n", "", "", "write_back[0]: says not where: add one of statement, file, webhook"},
		{"write_back: [{on: email.bounced, file: a, webhook: " + post + "}]\n", "", "", "write_back[0]: has file and webhook; write one entry for each"},
		{"write_back: [{on: email.bounced, file: a, sync: users}]\n", "", "", `write_back[0].sync: means nothing without "statement"`},
		{"write_back: [{on: email.bounced, file: a}, {on: email.complained, file: a}]\n", "", "", `write_back[1]: has the name "file a", as one above; give it a name of its own`},
		{"write_back: [{on: email.bounced, statement: x, sync: people}]\n", "", "", `write_back[0].sync: there is no sync "people"; there are: users`},
		{"write_back: [{on: email.bounced, statement: x, dsn: 'csv:a.csv'}]\n", "", "", `write_back[0].dsn: needs a database that takes SQL, not csv; use "file" or "webhook", or name another "dsn"`},
		{"write_back: [{on: email.bounced, webhook: {url: 'ftp://x.example/secretpart'}}]\n", "", "", "write_back[0].webhook.url: must be an address that begins with https:// (or http://)"},
		{"alerts: [{on: failing, slack: " + post + "}]\n", "", "", `alerts[0].on: "failing" is not known; did you mean failure?`},
		{"alerts: [{}]\n", "", "", "alerts[0]: says not where: add one of slack, discord, ntfy, webhook, email, owlat"},
		{"alerts: [{slack: " + post + "}, {slack: " + post + "}]\n", "", "", `alerts[1]: has the name "slack", as one above; give it a name of its own`},
		{"alerts: [{slack: {}}]\n", "", "", `alerts[0].slack: "url" is missing; say where to send, best as a variable such as ${HOOK_URL}`},
		{"alerts: [{email: {host: m, from: a@example.com, to: b}}]\n", "", "", "alerts[0].email.to: is no e-mail address"},
		{"alerts: [{email: {host: m, from: a@example.com, to: b@example.com, user: u}}]\n", "", "", "alerts[0].email: needs both user and password, or neither"},
		{"alerts: [{email: {host: m, from: a@example.com, to: b@example.com, port: 0}}]\n", "", "", "alerts[0].email.port: must be a port from 1 to 65535"},
		{"alerts: [{owlat: {to: a@example.com}}]\n", "", "", `alerts[0].owlat: "slug" is missing; it is the slug of a transactional template in Owlat`},
		{"", "    schedule: 5m\n", "", `syncs.users.schedule: is no cron expression: it has five fields (minute, hour, day of the month, month, day of the week), such as "*/5 * * * *"; or write every 5m`},
		{"", "    schedule: '* * * * * *'\n", "", `syncs.users.schedule: is no cron expression: it has five fields (minute, hour, day of the month, month, day of the week), such as "*/5 * * * *"; or write every 5m`},
		{"", "    schedule: every 100ms\n", "", "syncs.users.schedule: must be every and a duration from 1s to 366d, such as every 5m"},
		{"", "    schedule: '@every 5m'\n", "", "syncs.users.schedule: is written as every and a duration, such as every 5m"},
		{"", "    schedule: 'TZ=UTC 0 * * * *'\n", "", "syncs.users.schedule: cannot name a time zone in the expression; use {cron: …, time_zone: …}"},
		{"", "    schedule: 'TZ=0'\n", "", "syncs.users.schedule: cannot name a time zone in the expression; use {cron: …, time_zone: …}"},
		{"", "    schedule: {cron: '@daily', every: 5m}\n", "", "syncs.users.schedule.every: cannot stand beside cron; remove one of them"},
		{"", "    schedule: {jitter: 5s}\n", "", "syncs.users.schedule: says neither cron nor every, such as {every: 5m}"},
		{"", "    schedule: {every: 5m, time_zone: UTC}\n", "", "syncs.users.schedule.time_zone: means nothing with every; remove it"},
		{"", "    schedule: {every: 5m, jitter: 2d}\n", "", "syncs.users.schedule.jitter: must be at most 24h"},
		{"", "    stale_after: soon\n", "", "syncs.users.stale_after: must be a duration such as 10m, 1h or 7d, or off"},
		{"", "", "      poll: 2s\n", `syncs.users.source.poll: needs "cursor", the column that tells when a row changed`},
		{"", "    key: id\n", "      cursor: updated_at\n      poll: 5ms\n", "syncs.users.source.poll: must be at least 100ms"},
		{"", "", "      listen: " + strings.Repeat("x", 64) + "\n", "syncs.users.source.listen: must be the name of a channel, at most 63 bytes"},
	} {
		file := served(test.sections, test.inSync, test.inSource)
		_, err := Parse("f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil {
			t.Errorf("no error in\n%s", file)
			continue
		}
		got := err.Error()
		if _, after, ok := strings.Cut(strings.TrimPrefix(got, "f.yaml:"), ": "); !ok || after != test.want {
			t.Errorf("got:\n%s\nwant:\n%s\nin\n%s", got, test.want, file)
		}
		if strings.Contains(got, "secretpart") || strings.Contains(got, "ost_secret") {
			t.Errorf("the error shows a secret: %s", got)
		}
	}
}

// TestOtherCommandsIgnoreTheService loads a file whose service cannot be used, as a command does that serves nothing.
func TestOtherCommandsIgnoreTheService(t *testing.T) {
	t.Parallel()
	file := served("webhooks: {secrets: ['${NO_SECRET}']}\n", "    schedule: every 5m\n", "")
	set, err := parse("f.yaml", []byte(file), UseAll, "", env(map[string]string{EnvAPIKey: testKey}))
	if err != nil || set.Deployments[0].NoService == nil {
		t.Fatalf("%v, and of the service no error", err)
	}
	if _, err := Parse("f.yaml", []byte(strings.Replace(file, "postgres://app@db.example/app", "sqlite:a.db", 1)), env(map[string]string{EnvAPIKey: testKey, "NO_SECRET": "a"})); err != nil {
		t.Error(err)
	}
}
