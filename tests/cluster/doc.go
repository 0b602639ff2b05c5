// Package cluster tests several machines on one: PostgreSQL, an Owlat for each deployment, and services of owlat-sync as processes,
// which are killed, frozen and cut off while rows change and people leave. A judge then looks at what everybody saw.
//
// The one idea to know: the judge believes nobody. What was sent, Owlat's own log tells; who sent it, the door through which each node
// reaches Owlat; who may send, the leases as PostgreSQL wrote them down; what people wanted, the town that played them. The program
// is asked only for what it promised to keep. [Judge] is a function of this [Evidence], so that evidence with a planted fault shows that
// it sees the fault; tests also plant faults into real nodes.
//
// A [World] is everything that runs; its [Mischief] breaks parts of it, and [World.Peace] mends all and waits until everything has settled.
package cluster
