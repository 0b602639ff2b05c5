package config

import (
	"cmp"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name also where the machine has none

	"owlatsync/internal/config/internal/near"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/internal/sourcedsn"
)

// serviceDecoder reads what "owlat-sync serve" needs.
type serviceDecoder struct{ *decoder }

// service reads the sections of the service. Where they are not used, values in them may be wrong.
func (d serviceDecoder) service(file section, cfg *Config) {
	wrong := d.unlessUnused(UseService, func() {
		cfg.Webhooks = d.webhooks(sectionOf[written.Webhooks](d.decoder, file.child("webhooks"), setting(file.path, "webhooks")))
		for i, item := range file.list("write_back") {
			cfg.WriteBacks = append(cfg.WriteBacks, d.writeBack(item, itemOf(file.path, "write_back", i), cfg))
		}
		for i, item := range file.list("alerts") {
			cfg.Alerts = append(cfg.Alerts, alertDecoder(d).alert(item, itemOf(file.path, "alerts", i), cfg))
		}
		for i := range cfg.Syncs {
			cfg.Syncs[i].Schedule = cfg.Syncs[i].Schedule.within(cfg.Service)
		}
	})
	cfg.NoService = join(cfg.NoService, wrong)
}

// join makes one *Error of two, each of which may be nil.
func join(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	both := problems{}
	for _, err := range []error{a, b} {
		if e, ok := errors.AsType[*Error](err); ok {
			both.list = append(both.list, e.Problems...)
		}
	}
	return both.err()
}

func (d serviceDecoder) serve(s section) Service {
	out := Service{Listen: DefaultListen, Zone: time.UTC, StopWithin: DefaultStopWithin, Line: s.node.Line}
	for i, item := range s.list("tokens") {
		out.Tokens = append(out.Tokens, d.token(item, itemOf(s.path, "tokens", i), out.Tokens))
	}
	out.Accounts = accountDecoder(d).accounts(s)
	if v := s.text("listen"); v.given {
		out.Listen = d.address(v)
		if out.Listen != "" && !loopback(out.Listen) && len(out.Tokens)+len(out.Accounts) == 0 {
			v.refuse(d.decoder, "can be reached from other machines, so the API needs tokens: \"owlat-sync token\" makes one; or listen at %s", DefaultListen)
		}
	}
	if v := s.text("public"); v.given {
		if out.Public = d.address(v); out.Public != "" && out.Public == out.Listen {
			v.refuse(d.decoder, "is the same as listen; remove it, or name another port")
		}
	}
	if n := s.child("tls"); n != nil {
		files := sectionOf[written.TLS](d.decoder, n, "serve.tls")
		cert, key := files.text("cert"), files.text("key")
		d.required(cert, "name the file with the certificate")
		d.required(key, "name the file with the private key")
		out.TLS = TLS{Cert: d.path(cert), Key: d.path(key)}
	}
	for _, v := range s.textOrList("trusted_proxies") {
		network, err := netip.ParsePrefix(v.text)
		if err != nil {
			one, oneErr := netip.ParseAddr(v.text)
			if oneErr != nil {
				v.refuse(d.decoder, "%q is no address or range of addresses, such as 10.0.0.0/8", v.text)
				continue
			}
			network = netip.PrefixFrom(one, one.BitLen())
		}
		out.Proxies = append(out.Proxies, network.Masked())
	}
	if v := s.text("url"); v.given {
		if u, err := url.Parse(v.text); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			v.refuse(d.decoder, "must be an address such as https://sync.example.com")
		}
		out.URL = strings.TrimRight(v.text, "/")
	}
	if v := s.text("time_zone"); v.given {
		out.Zone = d.zone(v)
	}
	out.Jitter = d.duration(s.text("jitter"), 0, "")
	out.StopWithin = d.duration(s.text("stop_within"), DefaultStopWithin, "")
	out.LogJSON = d.oneOf(s.text("log_format"), "text", "json") == "json"
	return out
}

func (d serviceDecoder) token(n *yamltree.Node, path string, others []Token) Token {
	s := sectionOf[written.Token](d.decoder, n, path)
	name, role, hash := s.text("name"), s.text("role"), s.text("hash")
	if d.required(name, "say who has the token") && slices.ContainsFunc(others, func(t Token) bool { return t.Name == name.text }) {
		name.refuse(d.decoder, "%q is the name of a token above, too", name.text)
	}
	token := Token{Name: name.text}
	if d.required(role, "viewer or operator") {
		token.Role = Role(d.oneOf(role, string(Viewer), string(Operator)))
	}
	if d.required(hash, "\"owlat-sync token\" makes a token and prints this line") {
		digits, ok := strings.CutPrefix(strings.TrimSpace(hash.text), "sha256:")
		raw, err := hex.DecodeString(digits)
		if !ok || err != nil || len(raw) != len(token.Hash) {
			hash.refuse(d.decoder, "must be sha256: and 64 hexadecimal digits; \"owlat-sync token\" prints it. The token itself does not belong here")
		} else {
			copy(token.Hash[:], raw)
		}
	}
	return token
}

// address reads where to listen.
func (d serviceDecoder) address(v value) string {
	host, port, err := net.SplitHostPort(v.text)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || strings.ContainsAny(host, "/ ") {
		v.refuse(d.decoder, "must be an address and a port, such as %s", DefaultListen)
		return ""
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10))
}

// loopback reports whether only this machine reaches the address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (d serviceDecoder) path(v value) string {
	if !v.given || filepath.IsAbs(v.text) {
		return v.text
	}
	return filepath.Join(d.dir, v.text)
}

func (d serviceDecoder) webhooks(s section) Webhooks {
	out := Webhooks{}
	for _, v := range s.textOrList("secrets") {
		out.Secrets = append(out.Secrets, Secret(strings.TrimSpace(v.text)))
	}
	if n := s.child("secrets"); n == nil && len(s.node.Pairs) > 0 {
		d.add(s.node.Line, s.path, "%q is missing; copy it from the webhook's page in Owlat", "secrets")
	}
	out.MaxAge = d.duration(s.text("max_age"), 5*time.Minute, "")
	out.SilentAfter = d.duration(s.text("silent_after"), DefaultSilentAfter, off)
	if out.MaxAge == 0 && s.child("max_age") != nil {
		d.add(s.node.Line, setting(s.path, "max_age"), "must be above 0, such as 5m")
	}
	return out
}

// words reads a list of words that are known; none means standard.
func (d serviceDecoder) words(s section, key string, known, standard []string) []string {
	var words []string
	for _, v := range s.textOrList(key) {
		switch like, ok := near.Word(v.text, known); {
		case slices.Contains(words, v.text):
			v.refuse(d.decoder, "names %s twice", v.text)
		case slices.Contains(known, v.text):
			words = append(words, v.text)
		case ok:
			v.refuse(d.decoder, "%q is not known; did you mean %s?", v.text, like)
		default:
			v.refuse(d.decoder, "%q is not known; it can be %s", v.text, strings.Join(known, ", "))
		}
	}
	if words == nil {
		return standard
	}
	return words
}

// one returns the one of the keys that is given, and reports if it is none or several.
func (d serviceDecoder) one(s section, keys ...string) string {
	var given []string
	for _, key := range keys {
		if s.child(key) != nil {
			given = append(given, key)
		}
	}
	switch {
	case s.odd:
		return ""
	case len(given) == 0:
		d.add(s.node.Line, s.path, "says not where: add one of %s", strings.Join(keys, ", "))
		return ""
	case len(given) > 1:
		d.add(s.node.Line, s.path, "has %s; write one entry for each", strings.Join(given, " and "))
	}
	return given[0]
}

func (d serviceDecoder) writeBack(n *yamltree.Node, path string, cfg *Config) WriteBack {
	s := sectionOf[written.WriteBack](d.decoder, n, path)
	out := WriteBack{Line: s.node.Line, On: d.words(s, "on", FeedbackEvents, nil)}
	if s.child("on") == nil && !s.odd {
		d.add(s.node.Line, s.path, "%q is missing; say which events, such as [topic.unsubscribed]", "on")
	}
	sync, dsn, name := s.text("sync"), s.text("dsn"), s.text("name")
	switch kind := d.one(s, "statement", "file", "webhook"); kind {
	case "statement":
		out.Statement = d.statement(s, sync, dsn, cfg)
	case "file":
		out.Path = d.path(s.text("file"))
	case "webhook":
		out.Hook = d.hook(sectionOf[written.Hook](d.decoder, s.child("webhook"), setting(s.path, "webhook")))
	}
	if out.Statement == nil {
		for _, v := range []value{sync, dsn} {
			if v.given {
				v.refuse(d.decoder, "means nothing without \"statement\"")
			}
		}
	}
	if out.Name = name.text; !name.given {
		out.Name = out.standardName()
	}
	if slices.ContainsFunc(cfg.WriteBacks, func(w WriteBack) bool { return w.Name == out.Name }) {
		d.add(s.node.Line, s.path, "has the name %q, as one above; give it a name of its own", out.Name)
	}
	return out
}

// standardName is the name of a write-back without one.
func (w WriteBack) standardName() string {
	switch {
	case w.Statement != nil:
		return "statement " + w.Statement.Sync
	case w.Hook != nil:
		return "webhook"
	}
	return "file " + filepath.Base(w.Path)
}

func (d serviceDecoder) statement(s section, sync, dsn value, cfg *Config) *Statement {
	text := s.text("statement")
	out := &Statement{Sync: sync.text, DSN: Secret(dsn.text), SQL: strings.TrimSpace(text.text)}
	if !sync.given && len(cfg.Syncs) == 1 {
		out.Sync = cfg.Syncs[0].Name
	}
	of := cfg.Sync(out.Sync)
	switch {
	case out.Sync == "" && !sync.wrong:
		d.add(s.node.Line, s.path, "%q is missing; say into whose database the statement writes: %s", "sync", strings.Join(cfg.Names(), ", "))
	case of == nil && sync.given:
		sync.refuse(d.decoder, "there is no sync %q; there are: %s", sync.text, strings.Join(cfg.Names(), ", "))
	}
	at := text
	if dsn.given {
		var err error
		if out.Target, err = sourcedsn.Parse(dsn.text, d.dir); err != nil {
			dsn.refuse(d.decoder, "%s", err)
		}
		at = dsn
	} else if of != nil {
		out.Target = of.Target
	}
	switch kind := out.Target.Kind(); kind {
	case "", sourcedsn.KindPostgres, sourcedsn.KindMySQL, sourcedsn.KindSQLite:
	default:
		at.refuse(d.decoder, "needs a database that takes SQL, not %s; use \"file\" or \"webhook\", or name another \"dsn\"", kind)
	}
	return out
}

// hook reads a webhook of the user's own.
func (d serviceDecoder) hook(s section) *Hook {
	return &Hook{URL: d.url(s), Secret: Secret(s.text("secret").text)}
}

// url reads an address to which something is sent. Errors do not repeat it: it may be a secret.
func (d serviceDecoder) url(s section) Secret {
	v := s.text("url")
	if !d.required(v, "say where to send, best as a variable such as ${HOOK_URL}") {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(v.text))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		v.refuse(d.decoder, "must be an address that begins with https:// (or http://)")
		return ""
	}
	return Secret(u.String())
}

// itemOf returns the path of an item of a list.
func itemOf(path, key string, i int) string { return setting(path, key) + "[" + strconv.Itoa(i) + "]" }
