// Package session lets people in to the page: their passwords, what a browser holds while somebody is signed in, and what protects a
// form. It knows neither pages nor syncs.
//
// The idea to know: a browser holds 256 random bits in a cookie, and the process keeps their hash alone. So nothing that can be read from
// the service signs anybody in. Where several processes share a Shelf, each looks there what another has done; without one, sessions are in
// memory, and a restart signs everybody out.
package session
