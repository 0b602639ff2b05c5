package alert

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/hooksign"
	"owlatsync/owlat"
)

// Means is what channels send with.
type Means struct {
	Owlat     *owlat.Client     // whose limiter the runs share; it may be nil if no channel is Owlat's
	Agent     string            // the program and its version, such as "owlat-sync/1.2.3"
	Transport http.RoundTripper // nil: a usual one
	Trust     *tls.Config       // of mail servers; nil: the machine's certificate authorities
	Now       func() time.Time  // by which messages are signed; nil: the machine's clock
}

// Channels returns what the configuration tells whom. Nothing is connected yet.
func Channels(alerts []config.Alert, m Means) (all []Subscription, err error) {
	if m.Now == nil {
		m.Now = time.Now
	}
	transport := m.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost, own.IdleConnTimeout = 1, sendWithin
		transport = own
	}
	client := newClient(transport)
	for _, a := range alerts {
		to := func(what string, url config.Secret, body func(Message) any) *post {
			return &post{what: what, url: url.Reveal(), body: body, client: client, agent: m.Agent, now: m.Now}
		}
		add := func(c Channel) {
			same := 0
			for _, before := range all {
				if before.Name == a.Name {
					same++
				}
			}
			s := Subscription{Name: a.Name, ID: a.Name, On: a.On, Channel: c}
			if same > 0 {
				s.ID = a.Name + " " + strconv.Itoa(same+1)
			}
			all = append(all, s)
		}
		switch {
		case a.Slack != "":
			add(to("Slack", a.Slack, slackBody))
		case a.Discord != "":
			add(to("Discord", a.Discord, discordBody))
		case a.Ntfy != nil:
			server, topic, ok := ntfyTo(a.Ntfy.URL.Reveal())
			if !ok {
				return nil, fmt.Errorf("alerts: the URL of %q names no topic; it is such as https://ntfy.sh/my-topic", a.Name)
			}
			p := to("ntfy", config.Secret(server), ntfyBody(topic))
			p.header = bearer(a.Ntfy.Token.Reveal())
			add(p)
		case a.Hook != nil:
			p := to("the webhook", a.Hook.URL, func(m Message) any { return m })
			p.sign = hooksign.Key(a.Hook.Secret.Reveal())
			add(p)
		case a.Mail != nil:
			l, err := newLetter(*a.Mail, m.Agent, m.Trust)
			if err != nil {
				return nil, fmt.Errorf("alerts: %q: %w", a.Name, err)
			}
			add(l)
		case a.Owlat != nil:
			if m.Owlat == nil {
				return nil, fmt.Errorf("alerts: %q needs Owlat, and there is no API key", a.Name)
			}
			for _, person := range a.Owlat.To { // each by itself: one who is blocked keeps no mail from the others
				add(&transactional{client: m.Owlat, slug: a.Owlat.Slug, to: person})
			}
		}
	}
	return all, nil
}
