// Package schedule says when syncs are due by themselves: by cron expressions or at regular times, in any time zone, each sync with
// a delay of its own. Schedule is pure arithmetic; Loop waits for the times. Neither knows what a run is.
//
// The idea to know: a sync is due at the first time of its schedule after the last one that was taken up. However many times passed
// meanwhile, because the process was down, the machine slept or the clock was set, the sync is due once.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no time zones

	"github.com/robfig/cron/v3"

	"owlatsync/ledger"
)

// Shortest is the shortest time between two runs that a schedule can ask for. Only a source that tells when it changes is faster.
const Shortest = time.Second

// Spec is a schedule as a user writes it: either Cron or Every is set.
type Spec struct {
	Cron   string         // five fields, or a word such as @daily
	Every  time.Duration  // at least Shortest
	Zone   *time.Location // of Cron; nil: UTC
	Jitter time.Duration  // the times are later by a part of it that depends on the sync's name only
}

// Schedule is the times at which one sync is due. It does not change and is safe for concurrent use.
type Schedule struct {
	text  string
	cron  *expression // nil: every
	every time.Duration
	delay time.Duration
}

// New returns the schedule of the sync with that name. An error says which part of the spec cannot be used.
func New(sync string, spec Spec) (*Schedule, error) {
	if spec.Jitter < 0 {
		return nil, fmt.Errorf("the jitter %s is negative", spec.Jitter)
	}
	s := &Schedule{}
	if spec.Jitter > 0 {
		s.delay = time.Duration(ledger.HashText(sync) % uint64(spec.Jitter)).Truncate(time.Millisecond)
	}
	switch {
	case spec.Cron != "" && spec.Every != 0:
		return nil, errors.New("a schedule is a cron expression or a time between runs, not both")
	case spec.Cron == "":
		if spec.Every < Shortest {
			return nil, fmt.Errorf("the time between runs, %s, is shorter than %s", spec.Every, Shortest)
		}
		s.text, s.every = "every "+short(spec.Every), spec.Every
		return s, nil
	}
	zone := spec.Zone
	if zone == nil {
		zone = time.UTC
	}
	var err error
	if s.cron, err = parse(spec.Cron, zone); err != nil {
		return nil, err
	}
	s.text = strings.Join(strings.Fields(spec.Cron), " ") + " " + zone.String()
	return s, nil
}

// String returns the schedule for people, such as "*/5 * * * * Europe/Berlin" or "every 5m".
func (s *Schedule) String() string { return s.text }

// Next returns the first time after t at which the sync is due, zero if none is known to come. Times of "every" are multiples since the Unix epoch, so that they do
// not depend on when a process began.
func (s *Schedule) Next(t time.Time) time.Time {
	t = t.Round(0).Add(-s.delay) // without the monotonic clock, which stands still while a machine sleeps
	if s.cron != nil {
		if t = s.cron.next(t); t.IsZero() {
			return t
		}
		return t.Add(s.delay)
	}
	return time.Unix(0, (floor(t.UnixNano(), int64(s.every))+1)*int64(s.every)).UTC().Add(s.delay)
}

// AtOnce reports whether a sync that never ran is due at once; otherwise it waits for the first time of its schedule.
func (s *Schedule) AtOnce() bool { return s.cron == nil }

func floor(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// short is a duration without the zeros that time.Duration adds.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// expression is a cron expression in a time zone.
type expression struct {
	fields cron.SpecSchedule // its Location is not used
	zone   *time.Location
	hourly bool // it names no hours: it follows the time that passes, not the clock on the wall
}

// anyHour is how the parser marks a field that is a star.
const anyHour = 1 << 63

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func parse(text string, zone *time.Location) (*expression, error) {
	text = strings.TrimSpace(text)
	const form = "a cron expression has five fields (minute, hour, day of the month, month, day of the week), such as \"*/5 * * * *\" or \"30 6 * * mon-fri\", or is a word such as @hourly"
	switch {
	case text == "":
		return nil, errors.New("the cron expression is empty; " + form)
	case strings.HasPrefix(text, "TZ="), strings.HasPrefix(text, "CRON_TZ="):
		return nil, fmt.Errorf("the cron expression %q names a time zone: \"time_zone\" does that", text)
	case strings.HasPrefix(text, "@every"):
		return nil, fmt.Errorf("%q is no cron expression: write it as \"every 5m\"", text)
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the cron expression %q cannot be read: %w; %s", text, err, form)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("the cron expression %q cannot be read: %s", text, form)
	}
	e := &expression{fields: *fields, zone: zone, hourly: fields.Hour&anyHour != 0}
	if e.in(time.UTC).Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, fmt.Errorf("the cron expression %q never comes: is there such a day?", text)
	}
	return e, nil
}

// in returns the fields in a zone whose clock is never set.
func (e *expression) in(zone *time.Location) *cron.SpecSchedule {
	fields := e.fields
	fields.Location = zone
	return &fields
}

// next returns the first time after t. Where the clock on the wall is put forward, a time that is skipped comes at that moment; where
// it is put back, a time that comes twice counts once. An expression that names no hours simply goes on.
//
// The library is only asked within a stretch of time in which the clock is not set: in others it skips runs and repeats them.
func (e *expression) next(t time.Time) time.Time {
	for at, limit := t, t.AddDate(5, 0, 0); at.Before(limit); {
		begin, end := at.In(e.zone).ZoneBounds()
		_, offset := at.In(e.zone).Zone()
		if !begin.IsZero() && !e.hourly {
			_, before := begin.Add(-1).In(e.zone).Zone()
			if first := begin.Add(time.Duration(before-offset)*time.Second - 1); t.Before(first) {
				t = first // the clock was put back: these times have been before
			}
		}
		due := e.in(time.FixedZone("", offset)).Next(t)
		if end.IsZero() || !due.IsZero() && due.Before(end) {
			return due.UTC()
		}
		_, after := end.In(e.zone).Zone()
		if skipped := end.Add(time.Duration(after-offset) * time.Second); !e.hourly && !due.IsZero() && due.Before(skipped) {
			return end.UTC()
		}
		at, t = end, end.Add(-1)
	}
	return time.Time{}
}
