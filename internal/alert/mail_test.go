package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/internal/config"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func (s *smtpServer) settings() config.Mail {
	return config.Mail{
		Host: "127.0.0.1", Port: s.port, TLS: s.tls, From: "alerts@example.com", To: []string{"ops@example.org", "boss@example.net"},
	}
}

func (s *smtpServer) channel(t *testing.T, set func(*config.Mail)) Channel {
	t.Helper()
	m := s.settings()
	if set != nil {
		set(&m)
	}
	subs, err := Channels([]config.Alert{{Name: "mail", Mail: &m}}, Means{Agent: "owlat-sync/test", Trust: s.trust})
	if err != nil {
		t.Fatal(err)
	}
	return subs[0].Channel
}

// TestMailArrives sends a mail over each kind of connection.
func TestMailArrives(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"off", "starttls", "implicit"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			login := kind != "off"
			s := serveSMTP(t, func(s *smtpServer) {
				if s.tls = kind; login {
					s.password = "pa55"
				}
			})
			m := wrong
			m.Text = "Zeile für Zeile.\n.\nA line that begins with a dot"
			err := s.channel(t, func(m *config.Mail) {
				if login {
					m.User, m.Password = "robot", "pa55"
				}
			}).Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.mails) != 1 {
				t.Fatalf("%d mails came", len(s.mails))
			}
			got := s.mails[0]
			if got.from != "alerts@example.com" || !slices.Equal(got.to, []string{"ops@example.org", "boss@example.net"}) || got.encrypted != login || (got.user == "robot") != login {
				t.Errorf("%+v", got)
			}
			letter, err := mail.ReadMessage(strings.NewReader(got.text))
			if err != nil {
				t.Fatal(err)
			}
			header := map[string]string{}
			for _, name := range []string{"Subject", "Date", "From", "To", "Auto-Submitted", "References", "X-Mailer"} {
				header[name] = letter.Header.Get(name)
			}
			want := map[string]string{
				"Subject": "Sync <users> failed", "Date": "Sun, 01 Mar 2026 12:00:00 +0000", "From": "<alerts@example.com>", "To": "<ops@example.org>, <boss@example.net>",
				"Auto-Submitted": "auto-generated", "References": "<failure-users-1a@owlat-sync.invalid>", "X-Mailer": "owlat-sync/test",
			}
			if diff := cmp.Diff(want, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(letter.Body))
			text := strings.ReplaceAll(strings.TrimSpace(string(body)), "\r\n", "\n")
			if want := m.Text + "\n\nWhat to do: " + m.Do + "\n\n" + m.Link; err != nil || text != want {
				t.Errorf("%v, text %q, want %q", err, text, want)
			}
		})
	}
}

// TestMailThatDoesNotArrive shows what is told of it: no address and no password.
func TestMailThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server func(*smtpServer)
		set    func(*config.Mail)
		want   string
	}{
		{"a wrong password", func(s *smtpServer) { s.tls, s.password = "starttls", "pa55" }, func(m *config.Mail) { m.User, m.Password = "robot", "wr0ng" }, "535"},
		{"no login", func(s *smtpServer) { s.tls, s.password = "starttls", "pa55" }, nil, "530"},
		{"a password without encryption", func(s *smtpServer) { s.password = "pa55" }, func(m *config.Mail) { m.User, m.Password = "robot", "pa55" }, ""},
		{"a recipient that is refused", func(s *smtpServer) { s.refuse = "ops@example.org" }, nil, "550"},
		{"no encryption", func(*smtpServer) {}, func(m *config.Mail) { m.TLS = "starttls" }, "STARTTLS"},
		{"a certificate of somebody else", func(s *smtpServer) { s.tls = "starttls"; s.trust = nil }, nil, "certificate"},
		{"a server that says nothing", func(s *smtpServer) { s.mute = true }, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serveSMTP(t, test.server)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if s.mute {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			err := s.channel(t, test.set).Send(ctx, wrong)
			if err == nil || !strings.HasPrefix(err.Error(), "send an alert by mail through 127.0.0.1: ") || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want %s", err, test.want)
			}
			for _, secret := range []string{"example", "pa55", "wr0ng"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds %q: %v", secret, err)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, m := range s.mails {
				t.Errorf("a mail came: %+v", m)
			}
		})
	}
}

// TestOwlatChannel sends transactional mails with the program's own client.
func TestOwlatChannel(t *testing.T) {
	t.Parallel()
	client, server := owlattest.Start(t, owlat.WithRetries(0))
	server.AddTemplate("alert", true)
	server.BlockAddress("boss@example.net")
	var bodies []string
	server.OnRequest = func(r owlattest.Request) { bodies = append(bodies, strings.TrimSpace(string(r.Body))) }
	subs, err := Channels([]config.Alert{
		{Name: "a", Owlat: &config.OwlatMail{Slug: "alert", To: []string{"ops@example.org", "boss@example.net"}}}, {Name: "b", Owlat: &config.OwlatMail{Slug: "none", To: []string{"ops@example.org"}}},
	}, Means{Owlat: client})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	failed := SendTest(t.Context(), subs, wrong, func(s Subscription, err error) {
		if err != nil && strings.Contains(err.Error(), "@") {
			t.Error(err)
		}
		got = append(got, fmt.Sprint(s.ID, " ", err == nil))
	})
	if want := []string{"a true", "a 2 false", "b false"}; failed != 2 || !slices.Equal(got, want) {
		t.Errorf("%q, %d failed, want %q", got, failed, want)
	}
	want := `{"email":"ops@example.org","slug":"alert","dataVariables":{"kind":"failure","link":"https://sync.example.com/api/v1/runs/7","run":"7","sync":"users","text":"Run 7 ended with an error: a & b.","title":"Sync <users> failed","what_to_do":"\"owlat-sync check\" tells more."}}`
	if len(bodies) != 3 || bodies[0] != want {
		t.Errorf("got  %q\nwant %q", bodies, want)
	}
	if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter}); err != nil {
		t.Fatal(err)
	}
	if err := subs[0].Channel.Send(t.Context(), wrong); !errors.Is(err, ErrUnsure) {
		t.Errorf("after a lost answer: %v", err)
	}
	if _, err := Channels([]config.Alert{{Name: "a", Owlat: &config.OwlatMail{Slug: "x", To: []string{"ops@example.org"}}}}, Means{}); err == nil {
		t.Error("a channel of Owlat's without a client")
	}
}
