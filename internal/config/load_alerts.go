package config

import (
	"slices"
	"strconv"

	"owlatsync"

	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
)

// alertDecoder reads who is told what is wrong.
type alertDecoder struct{ *decoder }

func (d alertDecoder) alert(n *yamltree.Node, at string, cfg *Config) Alert {
	s := sectionOf[written.Alert](d.decoder, n, at)
	out := Alert{Line: s.node.Line, On: serviceDecoder(d).words(s, "on", AlertKinds, AlertKinds)}
	kind := serviceDecoder(d).one(s, "slack", "discord", "ntfy", "webhook", "email", "owlat")
	path := setting(s.path, kind)
	switch kind {
	case "slack":
		out.Slack = serviceDecoder(d).url(sectionOf[written.URL](d.decoder, s.child(kind), path))
	case "discord":
		out.Discord = serviceDecoder(d).url(sectionOf[written.URL](d.decoder, s.child(kind), path))
	case "ntfy":
		keys := sectionOf[written.Ntfy](d.decoder, s.child(kind), path)
		out.Ntfy = &Ntfy{URL: serviceDecoder(d).url(keys), Token: Secret(keys.text("token").text)}
	case "webhook":
		out.Hook = serviceDecoder(d).hook(sectionOf[written.Hook](d.decoder, s.child(kind), path))
	case "email":
		out.Mail = d.mail(sectionOf[written.Mail](d.decoder, s.child(kind), path))
	case "owlat":
		keys := sectionOf[written.OwlatMail](d.decoder, s.child(kind), path)
		slug := keys.text("slug")
		d.required(slug, "it is the slug of a transactional template in Owlat")
		out.Owlat = &OwlatMail{Slug: slug.text, To: d.recipients(keys)}
	}
	name := s.text("name")
	if out.Name = name.text; !name.given {
		out.Name = kind
	}
	if slices.ContainsFunc(cfg.Alerts, func(a Alert) bool { return a.Name == out.Name }) {
		d.add(s.node.Line, s.path, "has the name %q, as one above; give it a name of its own", out.Name)
	}
	return out
}

func (d alertDecoder) mail(s section) *Mail {
	host, from, user, password := s.text("host"), s.text("from"), s.text("user"), s.text("password")
	d.required(host, "name the SMTP server")
	if d.required(from, "it is the sender's address") && !owlatsync.ValidAddress(from.text) {
		from.refuse(d.decoder, "is no e-mail address")
	}
	out := &Mail{
		Host: host.text, TLS: d.oneOf(s.text("tls"), "starttls", "implicit", "off"), User: user.text, Password: Secret(password.text),
		From: from.text, To: d.recipients(s),
	}
	if user.given != password.given && !user.wrong && !password.wrong {
		d.add(s.node.Line, s.path, "needs both user and password, or neither")
	}
	if v := s.text("port"); v.given {
		port, err := strconv.ParseUint(v.text, 10, 16)
		if out.Port = int(port); err != nil || port == 0 {
			v.refuse(d.decoder, "must be a port from 1 to 65535")
		}
	}
	return out
}

func (d alertDecoder) recipients(s section) (to []string) {
	for _, v := range s.textOrList("to") {
		if !owlatsync.ValidAddress(v.text) {
			v.refuse(d.decoder, "is no e-mail address")
		}
		to = append(to, v.text)
	}
	if s.child("to") == nil && !s.odd {
		d.add(s.node.Line, s.path, "%q is missing; say who is told", "to")
	}
	return to
}
