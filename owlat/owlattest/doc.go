// Package owlattest is an emulator of Owlat: an in-memory deployment that answers Owlat's public REST API, version 1, as
// Owlat 0.4.4 answers it, odd answers included.
//
// The zero [Server] works. It is an [http.Handler]; [Server.Transport] reaches it without sockets, also inside a
// testing/synctest bubble; [Server.Sandbox] adds the control API under /__sandbox/ for tests of programs in any
// language. What the API hides (memberships, opt-outs, double opt-in) is read with [Server.Contact] and
// [Server.History]; what people do with their mails is done with [Server.Unsubscribe] and [Server.ConfirmDoubleOptIn];
// what goes wrong on the way is ordered with [Server.InjectFaults].
//
// The one idea to know: the emulator keeps the same tables as Owlat, with the address of a contact in two of them, and
// looks an address up where Owlat does. The address drift and the other surprises follow from that by themselves.
//
// Not modelled: automations and campaigns (an event triggers none), the sending of mail, full-text ranking in search (a
// contact matches when it holds a searched word), custom properties, merges of contacts, several organisations, limits
// on the size of a request, concurrent writes that lose against each other, and delivery of webhooks by several workers.
package owlattest
