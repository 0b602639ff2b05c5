// Package access decides who may talk to the service, and how much of it one client may have: tokens and their roles, what a
// browser may do, the client's address behind proxies, certificates, and the limits of connections and requests. It knows nothing
// of syncs.
//
// The idea to know: without tokens the service is open, but only to programs on this machine that mean it. So an open Gate looks at
// both ends of the connection itself, and refuses what came through a proxy or under a foreign name.
package access
