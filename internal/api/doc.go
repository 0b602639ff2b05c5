// Package api is the HTTP API of the service, and the only way in: the page, "owlat-sync trigger" and programs of others all use it. It
// turns requests into calls of what runs, and what the ledger and the service know into JSON, in the words that the commands use with
// --json. It decides nothing about syncs and opens nothing.
//
// The idea to know: everything that the API can do stands in one table (routes.go) with the role that it needs, and the document
// openapi.json describes it. A test holds both, and every answer of the other tests, against each other.
package api
