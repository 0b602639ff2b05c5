// Package owlattest is an emulator of Owlat: an in-memory deployment that answers Owlat's public REST API, version 1, as
// Owlat 0.4.4 answers it, odd answers included.
//
// [Start] gives a test a ready client and its server. The zero [Server] works too: it is an [http.Handler], and
// [Server.Transport] reaches it without sockets, also inside a testing/synctest bubble. [Server.Sandbox] adds the control
// API under /__sandbox/ for tests of programs in any language.
//
// A test reads what the API hides (memberships, opt-outs, double opt-in) with [Server.Contact] and [Server.History]. It plays
// a person with [Server.Unsubscribe] and [Server.ConfirmDoubleOptIn]. It plays the dashboard with [Server.RemoveMember],
// [Server.EditContact], [Server.Merge], [Server.SoftDelete] and [Server.DeleteTopic]. It orders trouble on the way with
// [Server.InjectFaults].
//
// The one idea to know: the emulator keeps the same tables as Owlat, with the address of a contact in two of them, and
// looks an address up where Owlat does. The address drift and the other surprises follow from that by themselves.
//
// Beside the API it has the public endpoints of the links in mails, as far as they are documented for whoever hosts a deployment:
// GET /prefs/verify/{token}, GET /unsub/verify/{token} and POST /unsub/{token}, whose tokens [Server.UnsubscribeSecret] signs. Not
// offered, on purpose, is POST /prefs/update/{token}, which subscribes without double opt-in: it is a 404 here.
//
// A contact's UpdatedAt moves as Owlat moves it: with an update, an edit in the dashboard, a confirmation, an add that makes
// the contact pending, and whenever a person loses a membership by a link, the API or the dashboard. It stays with any other
// add, also one that lifts an opt-out, and with an opt-out by somebody on no topic.
//
// Not modelled: automations and campaigns (an event triggers none), the sending of mail, full-text ranking in search (a
// contact matches when it holds a searched word), custom properties, several organisations, limits on the size of a request,
// concurrent writes that lose against each other, the expiry of opt-in links, the pages that mails link to, and
// delivery of webhooks by several workers.
package owlattest
