package owlat_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

const (
	basePath = "/behind/a%2Fproxy"
	baseURL  = "https://owlat.example" + basePath
	anyKey   = "lm_live_0123456789abcdefghijABCDEFGHIJ0123456789"
)

// deployment is an emulator under a base path, so that a wrong absolute URL is a 404, and a client of it. Neither has a
// limit unless the options say otherwise.
type deployment struct {
	*owlattest.Server
	client *owlat.Client
	topic  string
}

func deploy(t *testing.T, opts ...owlat.Option) *deployment {
	t.Helper()
	s := &owlattest.Server{BasePath: basePath, NoLimit: true, RandomSeed: 1, UnsubscribeSecret: linkSecret}
	d := &deployment{Server: s, topic: s.AddTopic("Newsletter", false)}
	d.client = d.connect(t, s.AddKey(), opts...)
	return d
}

func (d *deployment) connect(t *testing.T, key string, opts ...owlat.Option) *owlat.Client {
	t.Helper()
	return connect(t, key, d.Transport(), append([]owlat.Option{owlat.WithoutLimiter()}, opts...)...)
}

func connect(t *testing.T, key string, rt http.RoundTripper, opts ...owlat.Option) *owlat.Client {
	t.Helper()
	c, err := owlat.NewClient(baseURL, key, append([]owlat.Option{owlat.WithTransport(rt), owlat.WithUnsubscribeSecret(linkSecret)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	owlat.SetJitter(c, 0.5)
	return c
}

func (d *deployment) inject(t *testing.T, faults ...owlattest.Fault) {
	t.Helper()
	if err := d.InjectFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) create(t *testing.T, email, firstName string) *owlat.Contact {
	t.Helper()
	c, err := d.client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: email, FirstName: &firstName})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// roundTripper answers in place of a server.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reply makes an answer of the given header pairs.
func reply(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func always(status int, body string, header ...string) roundTripper {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

func refusal(category, message string) string {
	return `{"error":{"category":"` + category + `","message":"` + message + `"}}`
}

const oneContact = `{"data":{"id":"k5700000000000000000000000000000","email":"ada@example.com","firstName":"Ada","lastName":null,` +
	`"source":"api","createdAt":"2026-01-02T03:04:05.678Z","updatedAt":"2026-01-02T03:04:05.678Z"}}`

// method is a call of the SDK with what it needs to succeed on a deployment with the contact ada@example.com.
type method struct {
	name       string
	verb       string
	route      string
	scope      string
	call       func(context.Context, *owlat.Client, *deployment) error
	refused    []func(context.Context, *owlat.Client) error
	idempotent bool
}

func methods() []method {
	type ctx = context.Context
	const ada = "ada@example.com"
	return []method{
		{
			name: "Contacts.Create", verb: "POST", route: "/contacts", scope: "contacts:write",
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "new@example.com"})
				return err
			},
			refused: []func(ctx, *owlat.Client) error{
				func(ctx ctx, c *owlat.Client) error {
					_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: " "})
					return err
				},
				func(ctx ctx, c *owlat.Client) error {
					_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "a\xff@example.com"})
					return err
				},
				func(ctx ctx, c *owlat.Client) error {
					_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: ada, FirstName: new("\xc3")})
					return err
				},
			},
		},
		{
			name: "Contacts.Get", verb: "GET", route: "/contacts/{contact}", scope: "contacts:read", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Contacts.Get(ctx, ada)
				return err
			},
			refused: badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Contacts.Get(ctx, id)
				return err
			}),
		},
		{
			name: "Contacts.Update", verb: "PUT", route: "/contacts/{contact}", scope: "contacts:write", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Contacts.Update(ctx, ada, owlat.UpdateContactRequest{LastName: new("Lovelace")})
				return err
			},
			refused: append(badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Contacts.Update(ctx, id, owlat.UpdateContactRequest{})
				return err
			}), func(ctx ctx, c *owlat.Client) error {
				_, err := c.Contacts.Update(ctx, ada, owlat.UpdateContactRequest{LastName: new("\xff")})
				return err
			}),
		},
		{
			name: "Contacts.Delete", verb: "DELETE", route: "/contacts/{contact}", scope: "contacts:write", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error { return c.Contacts.Delete(ctx, ada) },
			refused: badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				return c.Contacts.Delete(ctx, id)
			}),
		},
		{
			name: "Contacts.List", verb: "GET", route: "/contacts", scope: "contacts:read", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Contacts.List(ctx, owlat.ListContactsRequest{Search: "ada"})
				return err
			},
			refused: []func(ctx, *owlat.Client) error{func(ctx ctx, c *owlat.Client) error {
				_, err := c.Contacts.List(ctx, owlat.ListContactsRequest{Limit: -1})
				return err
			}},
		},
		{
			name: "Contacts.All", verb: "GET", route: "/contacts", scope: "contacts:read", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				for _, err := range c.Contacts.All(ctx, owlat.ListContactsRequest{}) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "Topics.Add", verb: "POST", route: "/topics/{topic}/contacts", scope: "topics:write",
			call: func(ctx ctx, c *owlat.Client, d *deployment) error {
				_, err := c.Topics.Add(ctx, d.topic, owlat.AddMemberRequest{Email: ada})
				return err
			},
			refused: append(badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Topics.Add(ctx, id, owlat.AddMemberRequest{Email: ada})
				return err
			}), func(ctx ctx, c *owlat.Client) error {
				_, err := c.Topics.Add(ctx, "0123456789", owlat.AddMemberRequest{})
				return err
			}),
		},
		{
			name: "Topics.Remove", verb: "DELETE", route: "/topics/{topic}/contacts/{contact}", scope: "topics:write", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, d *deployment) error {
				_, err := c.Topics.Remove(ctx, d.topic, ada)
				return err
			},
			refused: append(badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Topics.Remove(ctx, id, ada)
				return err
			}), badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Topics.Remove(ctx, "0123456789", id)
				return err
			})...),
		},
		{
			name: "Events.Send", verb: "POST", route: "/events", scope: "events:write",
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Events.Send(ctx, owlat.SendEventRequest{Email: ada, Name: "signed_up", Properties: map[string]any{"plan": "pro"}})
				return err
			},
			refused: badEvents(),
		},
		{
			name: "Transactional.Send", verb: "POST", route: "/transactional", scope: "transactional:send",
			call: func(ctx ctx, c *owlat.Client, d *deployment) error {
				d.AddTemplate("welcome", true)
				_, err := c.Transactional.Send(ctx, owlat.SendMessageRequest{Email: ada, Slug: "welcome"})
				return err
			},
			refused: badMessages(),
		},
		{
			name: "Preferences.Get", verb: "GET", route: "/prefs/verify/{token}", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, d *deployment) error {
				_, err := c.Preferences.Get(ctx, d.someID())
				return err
			},
			refused: append(badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Preferences.Get(ctx, id)
				return err
			}), badContacts(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Preferences.Get(ctx, id)
				return err
			})...),
		},
		{
			name: "Preferences.OptOut", verb: "POST", route: "/unsub/{token}", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, d *deployment) error {
				_, err := c.Preferences.OptOut(ctx, d.someID())
				return err
			},
			refused: append(badIDs(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Preferences.OptOut(ctx, id)
				return err
			}), badContacts(func(ctx ctx, c *owlat.Client, id string) error {
				_, err := c.Preferences.OptOut(ctx, id)
				return err
			})...),
		},
		{
			name: "Health", verb: "GET", route: "/health", idempotent: true,
			call: func(ctx ctx, c *owlat.Client, _ *deployment) error {
				_, err := c.Health(ctx)
				return err
			},
		},
	}
}

func badIDs(call func(context.Context, *owlat.Client, string) error) []func(context.Context, *owlat.Client) error {
	var calls []func(context.Context, *owlat.Client) error
	for _, id := range []string{"", " ", "\t\n", ".", "..", "a\xff@example.com"} {
		calls = append(calls, func(ctx context.Context, c *owlat.Client) error { return call(ctx, c, id) })
	}
	return calls
}

// badContacts calls with what is an id elsewhere, or an address.
func badContacts(call func(context.Context, *owlat.Client, string) error) []func(context.Context, *owlat.Client) error {
	var calls []func(context.Context, *owlat.Client) error
	for _, id := range []string{"ada@example.com", "k57", "k5700000000000000000000000000000:1", " k5700000000000000000000000000000", "k570000000/000000000000"} {
		calls = append(calls, func(ctx context.Context, c *owlat.Client) error { return call(ctx, c, id) })
	}
	return calls
}

// someID is the id of ada@example.com, or one of nobody where she is not.
func (d *deployment) someID() string {
	if ada, ok := d.Contact("ada@example.com"); ok {
		return ada.ID
	}
	return anyContact
}

func badEvents() []func(context.Context, *owlat.Client) error {
	var calls []func(context.Context, *owlat.Client) error
	for _, e := range []owlat.SendEventRequest{
		{Name: "x"},
		{Email: "ada@example.com"},
		{Email: "ada@example.com", Name: "x", Properties: map[string]any{"a": func() {}}},
		{Email: "ada@example.com", Name: "x", Properties: map[string]any{"a": "\xff"}},
		{Email: "ada@example.com", Name: "x", Properties: map[string]any{"a": math.NaN()}},
	} {
		calls = append(calls, func(ctx context.Context, c *owlat.Client) error {
			_, err := c.Events.Send(ctx, e)
			return err
		})
	}
	return calls
}

func badMessages() []func(context.Context, *owlat.Client) error {
	message := func(files ...owlat.Attachment) owlat.SendMessageRequest {
		return owlat.SendMessageRequest{Email: "ada@example.com", Slug: "welcome", Attachments: files}
	}
	half := make([]byte, owlat.MaxAttachmentBytes/2+1)
	eleven := make([]owlat.Attachment, owlat.MaxAttachments+1)
	for i := range eleven {
		eleven[i] = owlat.Attachment{Filename: "a.txt", Content: []byte("a")}
	}
	var calls []func(context.Context, *owlat.Client) error
	for _, m := range []owlat.SendMessageRequest{
		{Slug: "welcome"},
		{Email: "ada@example.com"},
		message(owlat.Attachment{Content: []byte("a")}),
		message(owlat.Attachment{Filename: "a.txt"}),
		message(owlat.Attachment{Filename: "a.txt", Content: []byte("a"), URL: "https://files.example/a.txt"}),
		message(owlat.Attachment{Filename: "a.txt", URL: "http://files.example/a.txt"}),
		message(owlat.Attachment{Filename: "a.txt", URL: "https:///a.txt"}),
		message(owlat.Attachment{Filename: "a.txt", URL: "https://files.example/%zz"}),
		message(owlat.Attachment{Filename: "a.bin", Content: half}, owlat.Attachment{Filename: "b.bin", Content: half}),
		message(eleven...),
		{Email: "ada@example.com", Slug: "welcome", DataVariables: map[string]any{"a": map[string]any{"b": []any{"\xff"}}}},
	} {
		calls = append(calls, func(ctx context.Context, c *owlat.Client) error {
			_, err := c.Transactional.Send(ctx, m)
			return err
		})
	}
	return calls
}
