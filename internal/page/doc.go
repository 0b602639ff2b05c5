// Package page shows people how their syncs stand, in a browser: pages made on the server of what the API's Directory has. It
// runs nothing, and knows no kind of ledger. Without JavaScript everything works; with it, times are in the viewer's zone.
//
// The idea to know: every text that a source, Owlat or a configuration can fill is escaped by html/template according to where it
// stands, and set apart from its surroundings by <bdi>. Nothing is inline, so that the policy of the page allows no script but its own.
package page
