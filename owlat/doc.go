// Package owlat is a client of Owlat's REST API, version 1: contacts, topics, events and transactional mail, and the
// verification of the webhooks that Owlat sends. It stands alone: it imports the standard library and x/time/rate.
//
// It is not a sync. It remembers nothing between calls; packages reconcile and ledger of this module do.
//
// The one idea to know is the budget: Owlat allows one API key 10 requests a second and has no call that takes several
// contacts. A [Client] therefore holds a [Limiter] that all its goroutines share and that an answer 429 pauses for all of
// them. Make one Client per key and share it; where several are needed, share the limiter through [WithLimiter].
//
// # Errors
//
// An answer that is a refusal is an [*Error]; match it by category with errors.Is and [ErrNotFound], [ErrConflict] and so
// on. A request without an answer is a [*TransportError], an answer that cannot be read a [*ParseError]. [Unknown] tells
// whether a failed request may have taken effect. No error text, log line or observed attempt holds the API key or an
// address.
//
// # Retries
//
// A 429 is retried for every method, after the time that the server asks for (at most 30 s). A 5xx or a broken connection
// is retried only for GET, PUT and DELETE, with a growing, jittered pause. A POST is never repeated by itself, because Owlat
// has no idempotency keys; [Contacts.Upsert] reads back instead.
package owlat
