// Package transfer moves a ledger as lines of JSON, from any store into any other. It knows a ledger by its interfaces alone: a
// ledger.Snapshot gives what an export holds, and a ledger.Loader takes it in.
//
// The idea to know: an export ends with a checksum, and an import is all or none. A copy that was cut short or changed is refused,
// and leaves the ledger as it was.
package transfer
