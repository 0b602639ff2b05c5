package owlat

// Why the pace is what it is:
//
// Owlat's bucket gets a token every 100 ms and holds 15. A limiter sends at most [DefaultBurst] requests at once after a
// rest, and then one every 100 ms. That is 98 % of what the bucket allows in the first minute and leaves 7 tokens: requests
// that the network bunches by up to 0.7 s are not refused, nor are those of a process that follows another at once. Only 3
// are sent before the first answer, because a connection that is yet to be made bunches them for longer. Half of the requests go
// up to half an interval later than they could, by chance; the pace stays what it is. Two that were exact would keep the order in which
// they happen to meet, and one of them would be refused for ever.
//
// The limit is the one that the answers name. That of [WithRate] is an upper bound: it is taken at its word until a
// request is refused, and the lower of the two counts from then on. The bucket of a deployment with a higher limit is
// not known, so that no more than [DefaultBurst] go at once there either. Without an answer that names a limit it is [DefaultRate].
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

import (
	"math"
	"time"
)

const (
	// bucketRatio is the capacity of Owlat's bucket in seconds' worth of its limit.
	bucketRatio = 1.5
	// burstRatio is how many seconds' worth may go at once after a rest, if that is less than DefaultBurst. What Owlat's
	// bucket holds beyond it (7 of 15) is for requests that the network bunches, by up to 0.7 s, and for a process that
	// ended just before this one.
	burstRatio = 0.8
	// highestTold bounds what the server's word is worth.
	highestTold = 1000

	// price is how many requests must pass for each that was refused before the pace is tried again, so that fewer than
	// 2 % are refused for it, and patience how long that may take.
	price    = 72
	patience = 15 * time.Second
	// margin is the part of its share that a client takes while somebody else uses the key, and rest how long it sends
	// nothing at first. Both leave tokens in the bucket, so that chance alone does not empty it.
	margin = 0.97
	rest   = 500 * time.Millisecond
	// probeStep is how much faster than its pace a client begins to probe; probeDouble is when that has doubled.
	probeStep   = 0.03
	probeDouble = 4 * time.Second / 3
	// lot is for how long after a cut further refusals say nothing new, and memory how long a refusal says something.
	lot    = time.Second
	memory = 30 * time.Second
	// calm is for how long after trouble nothing is saved.
	calm = 5 * time.Second
	// lowest is the part of the limit below which no refusal pushes the pace.
	lowest = 1.0 / 16
)

// pacer decides how fast to send, for the reasons given above. It is the arithmetic of a [Limiter], which guards it.
type pacer struct {
	own     float64 // the caller's limit; 0: the server's word counts
	most    int     // requests at once after a rest
	ceiling float64 // the limit in force

	// The bucket is kept as the time at which it will be full, in whole nanoseconds, so that the pace is exact.
	full    time.Time
	burst   int       // what it holds for now
	trouble time.Time // when a request last met some
	saved   time.Time // when a request last used more than the pace allows, from what a rest had saved

	rate   float64   // requests a second that are known to pass
	cut    time.Time // when a refusal last changed something: the server's bucket was empty then
	passed int       // requests since cut
	held   time.Time // when the rate was last found
	owed   int       // requests that must pass before the next probe
	probe  time.Time // when it began
	probed int       // requests since probe
}

func newPacer(own float64, burst int) pacer {
	ceiling := own
	if own == 0 {
		ceiling = DefaultRate
	}
	return pacer{own: own, most: burst, burst: burst, ceiling: ceiling, rate: ceiling, full: time.Now()}
}

// pace is how many requests a second may be sent now.
func (p *pacer) pace(now time.Time) float64 {
	if p.rate >= p.ceiling {
		return p.ceiling
	}
	if p.owed > 0 && now.Sub(p.held) >= patience {
		p.owed, p.probe, p.probed = 0, now, 0
	}
	if p.owed > 0 {
		return p.rate
	}
	faster := p.rate * (1 + probeStep*math.Exp2(min(float64(now.Sub(p.probe))/float64(probeDouble), 30)))
	if faster < p.ceiling {
		return faster
	}
	p.rate = p.ceiling // nobody else is there
	return p.ceiling
}

// every is the time between two requests.
func (p *pacer) every(now time.Time) time.Duration {
	return time.Duration(float64(time.Second) / p.pace(now))
}

// wait is how long the next request has to wait; less than 0 if longer ago it could have gone.
func (p *pacer) wait(now time.Time) time.Duration {
	return max(p.full.Sub(now), 0) - time.Duration(p.burst-1)*p.every(now)
}

// take takes the token of a request that has waited.
func (p *pacer) take(now time.Time) {
	every := p.every(now)
	if p.wait(now) <= -every {
		p.saved = now
	}
	if now.Sub(p.full) > every { // who is only a little late does not make everybody late
		p.full = now
	}
	p.full = p.full.Add(every)
}

// hold changes how many tokens the bucket holds. It gets none for it.
func (p *pacer) hold(burst int, now time.Time) {
	if burst == p.burst {
		return
	}
	p.full = later(p.full, now).Add(time.Duration(burst-p.burst) * p.every(now))
	p.burst = burst
}

// spend leaves, at the given time, one token.
func (p *pacer) spend(until time.Time) {
	p.full = later(p.full, until.Add(time.Duration(p.burst-1)*p.every(until)))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// capacity is how many tokens the bucket holds when all is well. That of a server with a higher limit is not known.
func (p *pacer) capacity() int {
	if p.ceiling == p.own {
		return p.most
	}
	return max(1, min(p.most, int(burstRatio*p.ceiling)))
}

// limit hears what an answer calls the limit. The caller's own is taken at its word until the server refuses.
func (p *pacer) limit(told int, refused bool, now time.Time) (lower bool) {
	if told <= 0 || p.own > 0 && p.own == p.ceiling && !refused {
		return false
	}
	ceiling := min(float64(told), highestTold)
	if p.own > 0 {
		ceiling = min(ceiling, p.own)
	}
	if ceiling == p.ceiling {
		return false
	}
	lower = ceiling < p.ceiling
	before := p.every(now)
	if p.rate >= p.ceiling || p.rate > ceiling {
		p.rate = ceiling
	}
	p.ceiling = ceiling
	if used := p.full.Sub(now); used > 0 { // as many tokens as before
		p.full = now.Add(time.Duration(float64(used) / float64(before) * float64(p.every(now))))
	}
	if p.burst > 1 {
		p.hold(p.capacity(), now)
	}
	return lower
}

// pass hears of a request for which the server's bucket had a token.
func (p *pacer) pass(now time.Time) {
	p.passed++
	p.probed++
	switch {
	case p.rate >= p.ceiling && now.Sub(p.trouble) > calm:
		p.hold(p.capacity(), now)
	case p.rate >= p.ceiling:
	case p.owed == 1:
		p.probe, p.probed = now, 0
		p.owed = 0
	case p.owed > 1:
		p.owed--
	}
}

// falter hears of a request that met trouble: what was saved is not spent at once after it.
func (p *pacer) falter(until time.Time, now time.Time) {
	p.trouble = now
	p.hold(1, now)
	p.spend(until)
}

// refuse hears of a 429 to a request that was sent at the given time. lower tells that the limit in force was just found to
// be too high.
func (p *pacer) refuse(sent, now time.Time, lower bool) {
	if sent.Before(p.cut.Add(lot)) {
		if p.rate < p.ceiling {
			p.owed += price
		}
		return
	}
	// A request that used what was saved says that the bucket was not full, not that somebody else uses the key.
	saved := sent.Sub(p.saved) < lot
	if !lower && !saved {
		p.slow(now)
	}
	p.cut, p.passed = now, 0
	p.falter(now.Add(rest), now)
}

// slow finds the share of the budget that is left, and goes on with a little less.
func (p *pacer) slow(now time.Time) {
	pace := p.pace(now)
	share := pace / 2
	if since := now.Sub(p.cut); since < memory {
		// The bucket was empty then and is empty now: what passed in between is what it got, unless it was full meanwhile. If
		// it was, it was so when the probe began, and what passed since is what it got and what it held.
		share = float64(p.passed) / since.Seconds()
		if probed := now.Sub(p.probe); p.owed == 0 && probed > lot {
			share = max(share, (float64(p.probed)-bucketRatio*p.ceiling)/probed.Seconds())
		}
	}
	if p.owed == 0 || p.rate >= p.ceiling {
		p.held, p.owed = now, 0
	}
	p.owed += price
	p.rate = max(margin*min(share, pace), pace/2, lowest*p.ceiling)
}
