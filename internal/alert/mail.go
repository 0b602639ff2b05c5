package alert

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/wneessen/go-mail"

	"owlatsync/internal/config"
	"owlatsync/owlat"
)

// letter sends each message as a plain mail by SMTP. It keeps no connection.
type letter struct {
	options  []mail.Option
	implicit bool // the connection is encrypted from the first byte
	host     string
	from     string
	to       []string
	password string
	agent    string
}

// newLetter returns the channel of a mail server. A nil trust means the machine's certificate authorities.
func newLetter(m config.Mail, agent string, trust *tls.Config) (*letter, error) {
	l := &letter{host: m.Host, from: m.From, to: m.To, password: m.Password.Reveal(), agent: agent}
	l.options = []mail.Option{mail.WithTimeout(sendWithin), mail.WithoutNoop()}
	own := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust != nil {
		own = trust.Clone()
	}
	own.ServerName = m.Host
	port := m.Port
	switch m.TLS {
	case "implicit":
		l.implicit = true
		l.options = append(l.options, mail.WithSSL(), mail.WithTLSConfig(own))
		port = cmp.Or(port, 465)
	case "off":
		l.options = append(l.options, mail.WithTLSPolicy(mail.NoTLS))
		port = cmp.Or(port, 25)
	default:
		l.options = append(l.options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(own))
		port = cmp.Or(port, 587)
	}
	l.options = append(l.options, mail.WithPort(port))
	if m.User != "" {
		l.options = append(l.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(l.password))
	}
	if _, err := mail.NewClient(m.Host, l.options...); err != nil {
		return nil, fmt.Errorf("set up mail by %s: %s", m.Host, l.scrub(err))
	}
	return l, nil
}

// scrub makes an error of the library or the server one line without addresses and the password, which a server may repeat.
func (l *letter) scrub(err error) string {
	text := err.Error()
	if l.password != "" {
		text = strings.ReplaceAll(text, l.password, "…")
	}
	return scrub(text)
}

// Send hands the mail to the server.
func (l *letter) Send(ctx context.Context, m Message) error {
	letter, err := l.write(m)
	if err != nil {
		return fmt.Errorf("write an alert as mail: %s", l.scrub(err))
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	options := slices.Clone(l.options)
	if !l.implicit { // there the library takes only its own connections for encrypted
		options = append(options, mail.WithDialContextFunc(closedBy(ctx)))
	}
	client, err := mail.NewClient(l.host, options...)
	if err == nil {
		err = client.DialAndSendWithContext(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("send an alert by mail through %s: %s", l.host, l.scrub(err))
	}
	return nil
}

// closedBy returns what dials connections that the end of ctx closes: once there is one, the library heeds no context.
func closedBy(ctx context.Context) mail.DialContextFunc {
	return func(begin context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(begin, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

func (l *letter) write(m Message) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(letter.From(l.from), letter.To(l.to...)); err != nil {
		return nil, err
	}
	letter.Subject(strings.Join(strings.Fields(m.Title), " "))
	letter.SetDateWithValue(m.At)
	letter.SetMessageID()
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // nobody's holiday reply is wanted
	letter.SetGenHeader("X-Mailer", l.agent)
	thread := "<" + m.ID + "@owlat-sync.invalid>" // programs show what has it as one conversation
	letter.SetGenHeader("References", thread)
	text := m.Text + "\n"
	if m.Do != "" {
		text += "\nWhat to do: " + m.Do + "\n"
	}
	if m.Link != "" {
		text += "\n" + m.Link + "\n"
	}
	letter.SetBodyString(mail.TypeTextPlain, text)
	return letter, nil
}

// transactional sends each message as a transactional mail of Owlat's, within the budget that the runs share.
type transactional struct {
	client *owlat.Client
	slug   string
	to     string
}

// Send queues the mail in Owlat.
func (t *transactional) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, 4*sendWithin) // it may wait for the budget
	defer cancel()
	run := ""
	if m.Run != 0 {
		run = fmt.Sprint(m.Run)
	}
	_, err := t.client.Transactional.Send(ctx, owlat.SendMessageRequest{Email: t.to, Slug: t.slug, DataVariables: map[string]any{
		"title": m.Title, "text": m.Text, "what_to_do": m.Do, "link": m.Link, "sync": m.Sync, "run": run, "kind": m.Kind,
	}})
	if err == nil {
		return nil
	}
	if lost, ok := errors.AsType[*owlat.TransportError](err); ok && lost.Sent {
		return fmt.Errorf("send an alert through Owlat: %w: %s", ErrUnsure, scrub(err.Error()))
	}
	return fmt.Errorf("send an alert through Owlat: %s", scrub(err.Error()))
}
