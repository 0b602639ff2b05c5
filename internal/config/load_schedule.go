package config

import (
	"errors"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones by name also where the machine has none

	"github.com/robfig/cron/v3"

	"owlatsync/internal/config/internal/span"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/internal/sourcedsn"
)

const (
	maxEvery  = 366 * 24 * time.Hour
	maxJitter = 24 * time.Hour
	minPoll   = 100 * time.Millisecond
)

// cronForm has five fields or a word.
var cronForm = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// ParseCron returns the expression's schedule.
func ParseCron(expression string) (cron.Schedule, error) {
	if strings.Contains(expression, "TZ=") {
		return nil, errors.New("an expression cannot name a time zone") // the library takes one, and panics if nothing follows it
	}
	return cronForm.Parse(expression)
}

// schedule reads when a sync is due. Parts that it leaves out are those of the service; see within.
func (d *decoder) schedule(s section) Schedule {
	n := s.child("schedule")
	if n == nil || n.Kind != yamltree.Mapping {
		v := s.text("schedule")
		if !v.given {
			return Schedule{}
		}
		text := strings.Join(strings.Fields(v.text), " ")
		if every, ok := strings.CutPrefix(text, "every "); ok {
			v.text = every
			return Schedule{Text: text, Every: d.every(v), Jitter: -1}
		}
		v.text = text
		return Schedule{Text: text, Cron: d.cron(v), Jitter: -1}
	}
	part := sectionOf[written.ScheduleParts](d, n, setting(s.path, "schedule"))
	expression, every, zone, jitter := part.text("cron"), part.text("every"), part.text("time_zone"), part.text("jitter")
	out := Schedule{Jitter: -1}
	switch {
	case expression.given && every.given:
		every.refuse(d, "cannot stand beside cron; remove one of them")
	case expression.given:
		expression.text = strings.Join(strings.Fields(expression.text), " ")
		out.Cron, out.Text = d.cron(expression), expression.text
	case every.given:
		out.Every, out.Text = d.every(every), "every "+every.text
	case !expression.wrong && !every.wrong:
		d.add(n.Line, part.path, "says neither cron nor every, such as {every: 5m}")
	}
	if zone.given {
		if out.Zone = d.zone(zone); every.given {
			zone.refuse(d, "means nothing with every; remove it")
		}
	}
	if jitter.given {
		if out.Jitter = d.duration(jitter, 0, ""); out.Jitter > maxJitter {
			jitter.refuse(d, "must be at most 24h")
		}
	}
	return out
}

func (d *decoder) every(v value) time.Duration {
	every, err := span.Parse(v.text)
	if err != nil || every < time.Second || every > maxEvery {
		v.refuse(d, "must be every and a duration from 1s to 366d, such as every 5m")
	}
	return every
}

func (d *decoder) cron(v value) string {
	_, err := ParseCron(v.text)
	switch {
	case strings.Contains(v.text, "TZ="):
		v.refuse(d, "cannot name a time zone in the expression; use {cron: …, time_zone: …}")
	case strings.HasPrefix(v.text, "@every"):
		v.refuse(d, "is written as every and a duration, such as every 5m")
	case err != nil:
		v.refuse(d, "is no cron expression: it has five fields (minute, hour, day of the month, month, day of the week), such as \"*/5 * * * *\"; or write every 5m")
	}
	return v.text
}

// within fills in what the schedule leaves to the service.
func (s Schedule) within(service Service) Schedule {
	if s.IsZero() {
		return Schedule{}
	}
	if s.Zone == nil {
		s.Zone = service.Zone
	}
	if s.Jitter < 0 {
		s.Jitter = service.Jitter
	}
	return s
}

var channelForm = regexp.MustCompile(`^[^\x00]{1,63}$`)

// wakes reads what wakes the sync besides its schedule.
func (d policyDecoder) wakes(s section, sync *Sync) {
	channel, poll := s.text("listen"), s.text("poll")
	if channel.given {
		switch {
		case sync.Target.Kind() != "" && sync.Target.Kind() != sourcedsn.KindPostgres:
			channel.refuse(d.decoder, "is for PostgreSQL; other databases are asked with \"poll\" and a cursor")
		case !channelForm.MatchString(channel.text):
			channel.refuse(d.decoder, "must be the name of a channel, at most 63 bytes")
		}
		sync.Listen = channel.text
	}
	if sync.Poll = d.duration(poll, 0, off); sync.Poll > 0 {
		switch {
		case sync.Cursor.Column == "":
			poll.refuse(d.decoder, "needs \"cursor\", the column that tells when a row changed")
		case sync.Poll < minPoll:
			poll.refuse(d.decoder, "must be at least 100ms")
		}
	}
}

func (d *decoder) zone(v value) *time.Location {
	zone, err := time.LoadLocation(v.text)
	if err != nil || v.text == "Local" {
		v.refuse(d, "%q is no time zone; it is named such as Europe/Berlin or UTC", v.text)
		return time.UTC
	}
	return zone
}

// duration reads a duration of at least 0. Word, if not empty, stands for never, which is 0.
func (d *decoder) duration(v value, standard time.Duration, word string) time.Duration {
	switch {
	case !v.given:
		return standard
	case word != "" && v.text == word, v.text == "0", v.text == "0s":
		return 0
	}
	length, err := span.Parse(v.text)
	if err != nil {
		if word != "" {
			v.refuse(d, "must be a duration such as 10m, 1h or 7d, or %s", word)
		} else {
			v.refuse(d, "must be a duration such as 30s or 10m")
		}
	}
	return length
}
