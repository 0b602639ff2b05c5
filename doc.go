// Package owlatsync has the words of the domain: rows, the changes that bring contacts of an Owlat deployment in step with them,
// their outcomes, and the report of a run. It reads no source and sends no request; packages source, ledger, owlat and reconcile
// do.
package owlatsync
