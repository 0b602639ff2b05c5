// Package pace is the arithmetic of owlat.Limiter: how fast requests are sent and how many of them are in flight. It neither waits
// nor locks. A [Pacer] holds the bucket, a [Window] the number in flight.
//
// Owlat's bucket gets a token every 100 ms and holds 15. A limiter sends at most 8 requests at once after a
// rest, and then one every 100 ms. That is 98 % of what the bucket allows in the first minute and leaves 7 tokens: requests
// that the network bunches by up to 0.7 s are not refused, nor are those of a process that follows another at once. Only 3
// are sent before the first answer, because a connection that is yet to be made bunches them for longer. Half of the requests go
// up to half an interval later than they could, by chance; the pace stays what it is. Two that were exact would keep the order in which
// they happen to meet, and one of them would be refused for ever.
//
// The limit is the one that the answers name. That of WithRate is an upper bound: it is taken at its word until a
// request is refused, and the lower of the two counts from then on. The bucket of a deployment with a higher limit is
// not known, so that no more than 8 go at once there either. Without an answer that names a limit it is 10 a second.
//
// Who else uses the key shows only in refusals: X-RateLimit-Remaining is 9 or 0 and Retry-After 1, whatever the truth. At a
// refusal the bucket is empty. So what passed between two refusals, by the time between them, is what was left for this
// client, and it goes on with 97 % of that after half a second of rest. When 72 requests have passed for every refused one,
// or after 15 s, it probes: 3 % faster, an excess that doubles every 4/3 s, until a request is refused or the limit is
// reached. A probe costs one refusal or two while the others are there; that they are gone is found within 22 s. A first refusal,
// from full pace, says nothing of the share and halves it. One that follows a burst says that the bucket was not full, and only ends
// the burst.
//
// After a 5xx, a timeout or a broken connection nothing goes at once for 5 s, and the number of requests in flight is halved; every
// answer lets it grow by 3, up to 256.
//
// A way that goes silent may keep back what is sent and deliver it in one piece, which the bucket must hold. So when no answer has come for
// 0.3 s longer than answers take, nothing is sent but a probe after 6 s, 12 s, 24 s and so on; the first answer after a longer silence is
// followed by half a second of rest, and nothing goes at once for 5 s. What is in flight then is at most 8 requests that went at once, what
// the pace allows in the time that answers take and 0.3 s, and the probes.
package pace
