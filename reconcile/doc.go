// Package reconcile brings the contacts of an Owlat deployment in step with the rows of a source. It compares rows with a
// ledger of what Owlat is known to hold, plans the changes, applies them within the client's budget and records each one
// when Owlat has confirmed it. It opens no database and prints nothing.
//
// The idea to know: the ledger may be behind Owlat but is never ahead of it. So a run can be cut short anywhere, and the next one
// goes on from what is certain.
package reconcile
