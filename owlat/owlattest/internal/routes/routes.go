// Package routes is Owlat's REST API, and the endpoints of links beside it: it finds the handler of a method and path, checks key, bucket and scope, reads what was
// sent, and answers from a model.Deployment. A file holds the handlers of one area. It knows nothing of connections
// and faults.
package routes

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

// The routes by name.
const (
	Contacts      = "/contacts"
	Contact       = "/contacts/{contact}"
	TopicContacts = "/topics/{topic}/contacts"
	TopicContact  = "/topics/{topic}/contacts/{contact}"
	Events        = "/events"
	Transactional = "/transactional"
	Health        = "/health"
)

// Names returns the routes, those of links included.
func Names() []string {
	return append([]string{Contacts, Contact, TopicContacts, TopicContact, Events, Transactional, Health}, LinkNames()...)
}

// Request is what an endpoint sees of a request.
type Request struct {
	Method        string
	Path          string // below the base path, as sent
	Query         string
	Authorization string // the header
	Body          []byte
	Time          time.Time
}

// call is one request on its way through a handler.
type call struct {
	Request
	d     *model.Deployment
	limit model.Limit
}

// Endpoint is what a method and path lead to. The zero Endpoint leads nowhere.
type Endpoint struct {
	Route  string // empty: not routed
	scope  string // empty: asks for no key
	handle func(*call) *answer.Answer
}

// Find routes as Owlat does: some paths exactly, the others by prefix, whatever follows.
func Find(method, path string) Endpoint {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	rest, found := strings.CutPrefix(path, "/api/v1/")
	if !found {
		return findLink(method, path)
	}
	switch {
	case rest == "health":
		if method == http.MethodGet {
			return Endpoint{Health, "", health}
		}
	case rest == "contacts":
		switch method {
		case http.MethodOptions:
			return Endpoint{Contacts, "", preflight}
		case http.MethodGet:
			return Endpoint{Contacts, model.ContactsRead, listContacts}
		case http.MethodPost:
			return Endpoint{Contacts, model.ContactsWrite, createContact}
		}
	case strings.HasPrefix(rest, "contacts/"):
		switch method {
		case http.MethodOptions:
			return Endpoint{Contact, "", preflight}
		case http.MethodGet:
			return Endpoint{Contact, model.ContactsRead, getContact}
		case http.MethodPut:
			return Endpoint{Contact, model.ContactsWrite, updateContact}
		case http.MethodDelete:
			return Endpoint{Contact, model.ContactsWrite, deleteContact}
		}
	case strings.HasPrefix(rest, "topics/"):
		switch method {
		case http.MethodOptions:
			return Endpoint{TopicContacts, "", preflight}
		case http.MethodPost:
			return Endpoint{TopicContacts, model.TopicsWrite, addMember}
		case http.MethodDelete:
			return Endpoint{TopicContact, model.TopicsWrite, removeMember}
		}
	case rest == "events":
		switch method {
		case http.MethodOptions:
			return Endpoint{Events, "", preflight}
		case http.MethodPost:
			return Endpoint{Events, model.EventsWrite, sendEvent}
		}
	case rest == "transactional":
		switch method {
		case http.MethodOptions:
			return Endpoint{Transactional, "", preflight}
		case http.MethodPost:
			return Endpoint{Transactional, model.TransactionalSend, sendTransactional}
		}
	}
	return Endpoint{}
}

// Answer answers a request to the endpoint, which leads somewhere. The order of checks is the same for every route: key,
// bucket, scope, then the route's own.
func (e Endpoint) Answer(d *model.Deployment, limit model.Limit, r Request) *answer.Answer {
	c := &call{r, d, limit}
	if e.scope == "" {
		return e.handle(c)
	}
	key, refused := authenticate(d, r.Authorization)
	if refused != nil {
		return refused
	}
	var a *answer.Answer
	switch {
	case !key.Take(limit, r.Time):
		return TooMany(limit, r.Time)
	case !slices.Contains(key.Scopes, e.scope):
		a = answer.Fail(answer.Forbidden, "This API key is missing the required scope: "+e.scope)
	default:
		a = e.handle(c)
		if r.Method != http.MethodGet {
			d.Changed()
		}
	}
	setLimits(a, limit, r.Time)
	return a
}

func health(c *call) *answer.Answer {
	b := js.AppendTime([]byte(`{"status":"ok","timestamp":`), c.Time)
	return answer.JSON(http.StatusOK, append(b, '}'))
}

func preflight(*call) *answer.Answer {
	a := &answer.Answer{Status: http.StatusNoContent}
	a.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	a.Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
	a.Set("Access-Control-Max-Age", "86400")
	return a
}
