package pace

import (
	"math"
	"time"
)

const (
	// bucketRatio is the capacity of Owlat's bucket in seconds' worth of its limit.
	bucketRatio = 1.5
	// burstRatio is how many seconds' worth may go at once after a rest, if that is less than the burst. What Owlat's
	// bucket holds beyond it (7 of 15) is for requests that the network bunches, by up to 0.7 s, and for a process that
	// ended just before this one.
	burstRatio = 0.8
	// highestTold bounds what the server's word is worth.
	highestTold = 1_000_000

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

// Pacer decides how fast to send, for the reasons that the package documentation gives. [NewPacer] makes one.
type Pacer struct {
	own     float64 // the caller's limit; 0: the server's word counts
	part    float64 // of what the server's word allows
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

// NewPacer returns a pacer of at most own requests a second, or, for 0, of that part of what the server says, which is taken for first
// at the beginning; burst is how many go at once after a rest.
func NewPacer(own, part, first float64, burst int) Pacer {
	p := Pacer{own: own, part: part, most: burst, ceiling: own}
	if own == 0 {
		p.ceiling = part * first
		p.most = max(1, min(burst, int(burstRatio*p.ceiling)))
	}
	p.burst, p.rate, p.full = p.most, p.ceiling, time.Now()
	return p
}

// Pace returns how many requests a second may be sent now.
func (p *Pacer) Pace(now time.Time) float64 {
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

// Every returns the time between two requests.
func (p *Pacer) Every(now time.Time) time.Duration {
	return time.Duration(float64(time.Second) / p.Pace(now))
}

// Wait returns how long the next request has to wait; less than 0 if longer ago it could have gone.
func (p *Pacer) Wait(now time.Time) time.Duration {
	return max(p.full.Sub(now), 0) - time.Duration(p.burst-1)*p.Every(now)
}

// Take takes the token of a request that has waited.
func (p *Pacer) Take(now time.Time) {
	every := p.Every(now)
	if p.Wait(now) <= -every {
		p.saved = now
	}
	if now.Sub(p.full) > every { // who is only a little late does not make everybody late
		p.full = now
	}
	p.full = p.full.Add(every)
}

// Burst returns how many requests may go at once after a rest, as things stand.
func (p *Pacer) Burst() int { return p.burst }

// hold changes how many tokens the bucket holds. It gets none for it.
func (p *Pacer) hold(burst int, now time.Time) {
	if burst == p.burst {
		return
	}
	p.full = later(p.full, now).Add(time.Duration(burst-p.burst) * p.Every(now))
	p.burst = burst
}

// Empty leaves no token: somebody else may have taken them all until now.
func (p *Pacer) Empty(now time.Time) { p.Spend(now.Add(p.Every(now))) }

// Spend leaves, at the given time, one token.
func (p *Pacer) Spend(until time.Time) {
	p.full = later(p.full, until.Add(time.Duration(p.burst-1)*p.Every(until)))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// capacity is how many tokens the bucket holds when all is well. That of a server with a higher limit is not known.
func (p *Pacer) capacity() int {
	if p.ceiling == p.own {
		return p.most
	}
	return max(1, min(p.most, int(burstRatio*p.ceiling)))
}

// Limit hears what an answer calls the limit. The caller's own is taken at its word until the server refuses.
func (p *Pacer) Limit(told int, refused bool, now time.Time) (lower bool) {
	if told <= 0 || p.own > 0 && p.own == p.ceiling && !refused {
		return false
	}
	ceiling := min(float64(told), highestTold)
	if p.own == 0 {
		ceiling *= p.part
	}
	if p.own > 0 {
		ceiling = min(ceiling, p.own)
	}
	if ceiling == p.ceiling {
		return false
	}
	lower = ceiling < p.ceiling
	before := p.Every(now)
	if p.rate >= p.ceiling || p.rate > ceiling {
		p.rate = ceiling
	}
	p.ceiling = ceiling
	if used := p.full.Sub(now); used > 0 { // as many tokens as before
		p.full = now.Add(time.Duration(float64(used) / float64(before) * float64(p.Every(now))))
	}
	if p.burst > 1 {
		p.hold(p.capacity(), now)
	}
	return lower
}

// Pass hears of a request for which the server's bucket had a token.
func (p *Pacer) Pass(now time.Time) {
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

// Falter hears of a request that met trouble: what was saved is not spent at once after it.
func (p *Pacer) Falter(until time.Time, now time.Time) {
	p.trouble = now
	p.hold(1, now)
	p.Spend(until)
}

// Late hears that requests were kept back on the way until now: they arrive together, and need what a rest has saved.
func (p *Pacer) Late(now time.Time) { p.Falter(now.Add(rest), now) }

// Refuse hears of a 429 to a request that was sent at the given time. lower tells that the limit in force was just found to
// be too high.
func (p *Pacer) Refuse(sent, now time.Time, lower bool) {
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
	p.Falter(now.Add(rest), now)
}

// slow finds the share of the budget that is left, and goes on with a little less.
func (p *Pacer) slow(now time.Time) {
	pace := p.Pace(now)
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
