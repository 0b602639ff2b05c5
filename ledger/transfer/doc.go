// Package transfer moves a ledger from any store into any other, as lines of JSON or at once. It uses only the interfaces of a ledger: a
// ledger.Snapshot gives what an export holds, and a ledger.Loader takes it in.
//
// The idea to know: an export ends with a checksum, and an import is all or nothing. A copy that was cut short or changed is
// refused, and the ledger stays as it was.
package transfer
