// Package person finds a person in a ledger by what somebody typed, with all their rows and what Owlat told of them, and names persons in addresses of the page.
//
// The idea to know: a person is an address. Rows with one address are one person's, and a key that rows of several persons have is nobody's yet.
package person
