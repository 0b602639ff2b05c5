// Package owlat is a client of Owlat's REST API, version 1: contacts, topics, events and transactional mail, and the
// verification of the webhooks that Owlat sends. It imports the standard library only.
//
// It is not a sync: it remembers nothing between calls.
//
// The one idea to know is the budget: Owlat allows one API key 10 requests a second and has no call that takes several
// contacts. A [Client] therefore holds a [Limiter] that all its goroutines share. Make one Client per key and share it; where
// several are needed, share the limiter through [WithLimiter]. On a deployment of your own a client may have several keys
// ([WithMoreKeys]), each with its own budget. Work of many calls is best done in a [Pool], which begins as
// much at once as the limiter can use.
//
// # Pace
//
// A limiter finds its pace by itself. It begins with [DefaultRate] requests a second and at most [DefaultBurst] at once after a
// rest, and goes by the limit that the answers name from then on; that of [WithRate] is an upper bound. Only 3 requests are
// sent before the first answer. Half of the requests go up to half an interval later than they could, by chance, so that
// several clients do not keep in step.
//
// When others use the same key, answers of 429 show it. The limiter then rests for half a second and goes on with a little
// less than what was left for it; now and then it probes whether the others are gone, at the cost of one or two refusals. Fewer
// than 2 % of the requests are refused that way.
//
// After a 5xx, a timeout or a broken connection nothing goes at once for 5 s and fewer requests are in flight at a time;
// every answer lets their number grow again, up to 256. When no answer comes for 0.3 s longer than they take, only a probe is sent
// now and then until one comes: what a way keeps back arrives in one piece, and is not to be more than the bucket holds.
//
// # Memberships and opt-outs
//
// The API neither shows who is on a topic nor opts anybody out. [Preferences] does both, by the links in Owlat's mails, for whoever has
// the deployment's secret. It has a pace of its own: 20 requests a second, fewer while answers are slow or fail.
//
// # Errors
//
// Every method fails with one of three. A refusal is an [*Error]; match it by category with errors.Is and [ErrNotFound],
// [ErrConflict] and so on. Each call can meet [ErrUnauthenticated], [ErrForbidden], [ErrLimitReached], [ErrRateLimited] and
// [ErrInternal], and a 404 of a wrong base URL, [ErrNoRoute]; its own documentation names what else it meets. What this
// package finds wrong before sending is an [*Error] with [ErrInvalidInput] and without a status. A request without an answer is a
// [*TransportError], an answer that cannot be read a [*ParseError]. [Preferences] has a [*PreferencesError] besides. [OutcomeUnknown]
// tells whether a failed request may have taken effect. No error text, log line or observed attempt holds the API key, the unsubscribe
// secret, a token made with it, or an address.
//
// # Retries
//
// A 429 is retried for every method, after the time that the server asks for (at most 30 s; more than Owlat's one second
// holds everybody back). A 5xx or a broken connection is retried only for GET, PUT and DELETE, with a growing, jittered pause.
// A POST of the API is never repeated by itself, because Owlat has no idempotency keys; [Contacts.Upsert] reads back instead.
// [Preferences.OptOut] is: done twice it changes nothing.
//
// # Concurrency
//
// A Client and its parts may be used by any number of goroutines at once. No call keeps anything open when it has returned,
// so that calls may also be made from the loop over [Contacts.All].
package owlat
