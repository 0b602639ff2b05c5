package owlattest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/control"
	"owlatsync/owlat/owlattest/internal/model"
)

// The bodies of control requests.
type (
	ofContact struct {
		Email string `json:"email"`
	}
	ofTopic struct {
		Topic string `json:"topic"`
	}
	ofMember struct {
		Email string `json:"email"`
		Topic string `json:"topic"`
	}
	editOf struct {
		Email string                     `json:"email"`
		To    owlat.UpdateContactRequest `json:"to"`
	}
	ofSecret struct {
		Secret *string `json:"secret"`
	}
	mergeOf struct {
		Winner string `json:"winner"`
		Loser  string `json:"loser"`
	}
	bounceOf struct {
		Email   string `json:"email"`
		Soft    bool   `json:"soft"`
		Message string `json:"message"`
	}
	seedOf struct {
		Count  int    `json:"count"`
		Prefix string `json:"prefix"`
	}
)

// controlAPI is the table of the control API.
func controlAPI(s *Server) http.Handler {
	api := control.New()
	control.Post(api, "/reset", func(in Given) (any, error) { return reset(s, in) })
	control.Post(api, "/unsubscribe", func(in ofMember) (any, error) {
		return act(in.Email == "", "email is missing", func() error { return s.Unsubscribe(in.Email, in.Topic) })
	})
	control.Post(api, "/confirm-double-opt-in", func(in ofContact) (any, error) {
		return act(in.Email == "", "email is missing", func() error { return s.ConfirmDoubleOptIn(in.Email) })
	})
	control.Post(api, "/soft-delete", func(in ofContact) (any, error) {
		return act(in.Email == "", "email is missing", func() error { return s.SoftDelete(in.Email) })
	})
	control.Post(api, "/delete-topic", func(in ofTopic) (any, error) {
		return act(in.Topic == "", "topic is missing", func() error { return s.DeleteTopic(in.Topic) })
	})
	control.Post(api, "/remove-member", func(in ofMember) (any, error) {
		return act(in.Email == "" || in.Topic == "", "email or topic is missing", func() error { return s.RemoveMember(in.Email, in.Topic) })
	})
	control.Post(api, "/edit-contact", func(in editOf) (any, error) {
		return act(in.Email == "", "email is missing", func() error { return s.EditContact(in.Email, in.To) })
	})
	control.Post(api, "/merge", func(in mergeOf) (any, error) {
		return act(in.Winner == "" || in.Loser == "", "winner or loser is missing", func() error { return s.Merge(in.Winner, in.Loser) })
	})
	control.Post(api, "/bounce", func(in bounceOf) (any, error) {
		return act(in.Email == "", "email is missing", func() error { s.Bounce(in.Email, !in.Soft, in.Message); return nil })
	})
	control.Post(api, "/complain", func(in ofContact) (any, error) {
		return act(in.Email == "", "email is missing", func() error { s.Complain(in.Email); return nil })
	})
	control.Post(api, "/unsubscribe-secret", func(in ofSecret) (any, error) {
		return act(in.Secret == nil, `secret is missing; "" means none`, func() error { s.SetUnsubscribeSecret(*in.Secret); return nil })
	})
	control.Post(api, "/webhooks", func(in GivenWebhook) (any, error) {
		id, err := s.AddWebhook(in.URL, in.Secret, in.Events...)
		return map[string]string{"id": id}, refused(err)
	})
	control.Post(api, "/seed", func(in seedOf) (any, error) {
		made, err := s.Seed(in.Count, in.Prefix)
		return map[string]int{"made": made}, refused(err)
	})
	control.Post(api, "/faults", func(in controlFault) (any, error) {
		return act(in.Seen != nil || in.Hits != nil, "seen and hits are only shown", func() error { return s.InjectFaults(in.fault()) })
	})
	api.Get("/faults", nil, func(control.Query) (any, error) { return faultsInForce(s), nil })
	api.Delete("/faults", s.ClearFaults)
	api.Get("/contacts", []string{"email", "id"}, func(q control.Query) (any, error) { return contactsAsked(s, q), nil })
	api.Get("/history", []string{"email", "id"}, func(q control.Query) (any, error) {
		return append([]Entry{}, s.History(q.Get("email")+q.Get("id"))...), nil
	})
	api.Get("/stats", []string{"log"}, func(q control.Query) (any, error) {
		stats := s.Stats()
		if q.Get("log") == "false" {
			stats.Log, stats.Links.Log = []Arrival{}, []Arrival{}
		}
		return stats, nil
	})
	api.Get("/webhooks", nil, func(control.Query) (any, error) { return append([]Delivery{}, s.Deliveries()...), nil })
	return api
}

// act does what is asked for, unless the request is wrong for the reason given.
func act(wrong bool, reason string, do func() error) (any, error) {
	if wrong {
		return nil, control.BadRequest("%s", reason)
	}
	return nil, refused(do())
}

// refused turns the errors of the methods behind the control API into refusals.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, model.ErrNoContact), errors.Is(err, model.ErrNoTopic):
		return control.Refuse(answer.NotFound, "%s", err)
	default:
		return control.BadRequest("%s", err)
	}
}

func reset(s *Server, given Given) (any, error) {
	for name, k := range given.Keys {
		if k.Scopes == nil {
			return nil, control.BadRequest("key %q: scopes is missing; use [] for a key without any", name)
		}
	}
	made, err := s.Setup(given)
	return made, refused(err)
}

// controlFault is a Fault with its pauses in milliseconds.
type controlFault struct {
	Kind     FaultKind `json:"kind"`
	Method   string    `json:"method"`
	Route    string    `json:"route"`
	At       int       `json:"at"`
	Count    int       `json:"count"`
	Rate     float64   `json:"rate"`
	Status   int       `json:"status"`
	HTML     bool      `json:"html"`
	After    bool      `json:"after"`
	DelayMS  float64   `json:"delayMs"`
	JitterMS float64   `json:"jitterMs"`

	Seen *int `json:"seen,omitempty"` // matching requests so far; only shown
	Hits *int `json:"hits,omitempty"`
}

func (f controlFault) fault() Fault {
	return Fault{
		Kind: f.Kind, Method: f.Method, Route: f.Route, At: f.At, Count: f.Count, Rate: f.Rate, Status: f.Status,
		HTML: f.HTML, After: f.After, Delay: millis(f.DelayMS), Jitter: millis(f.JitterMS),
	}
}

func faultsInForce(s *Server) []controlFault {
	defer s.lock()()
	out := []controlFault{}
	for _, f := range s.faults.List() {
		out = append(out, controlFault{
			Kind: FaultKind(f.Kind), Method: f.Method, Route: f.Route, At: f.At, Count: f.Count, Rate: f.Rate, Status: f.Status,
			HTML: f.HTML, After: f.After, DelayMS: toMillis(f.Delay), JitterMS: toMillis(f.Jitter), Seen: new(f.Seen), Hits: new(f.Hits),
		})
	}
	return out
}

func toMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// controlContact is a contact as the control API shows it.
type controlContact struct {
	ID    string  `json:"id"`
	Email *string `json:"email"`
	model.Fields
	Unsubscribed bool     `json:"unsubscribed"`
	DOIStatus    string   `json:"doiStatus"`
	Topics       []string `json:"topics"`
}

// contactsAsked returns the live contacts with the id or address that is asked for, or all.
func contactsAsked(s *Server, q control.Query) []controlContact {
	defer s.lock()()
	out := []controlContact{}
	for _, c := range asked(s.model, q) {
		shown := controlContact{
			ID: c.ID, Fields: c.Fields, Unsubscribed: !c.OptedOut.IsZero(), DOIStatus: c.DOIStatus,
			Topics: c.TopicIDs(),
		}
		if c.Email != "" {
			shown.Email = new(c.Email)
		}
		out = append(out, shown)
	}
	return out
}

func asked(d *model.Deployment, q control.Query) []*model.Contact {
	// No address holds a space, so one stands for a plus sign that was not encoded.
	email := owlatsync.LowerAddress(strings.ReplaceAll(q.Get("email"), " ", "+"))
	switch {
	case q.Has("id"):
		c := d.Contacts.ByID(q.Get("id"))
		if c == nil || !c.Live() || q.Has("email") && c.Email != email {
			return nil
		}
		return []*model.Contact{c}
	case q.Has("email"):
		return d.Contacts.Twins(email)
	default:
		return slices.Collect(d.Contacts.All())
	}
}
