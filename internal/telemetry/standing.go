package telemetry

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"owlatsync/internal/config"
	"owlatsync/owlat"
)

const (
	// signsAge is how old what a scrape shows of the ledger may be.
	signsAge = 2 * time.Second
	// readWithin is how long a scrape waits for the ledger.
	readWithin = 5 * time.Second
)

// standing reads how things stand at each scrape.
type standing struct {
	signs  Signs
	budget Budget

	lastGood, age, stale, held, queued, lastFeedback, round, roundRead, roundPeople, roundSeconds, writeBacks, oldest, pace, limit, share, refused *prometheus.Desc
}

// Watch makes the metrics show how things stand, too, until Unwatch. A nil budget leaves that out.
func (m *Metrics) Watch(signs Signs, budget Budget) {
	if m == nil {
		return
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+"_"+name, help, labels, m.about)
	}
	s := &standing{
		signs: signs, budget: budget,
		lastGood:     desc("last_good_run_timestamp_seconds", "When the latest good run ended; none is known without it.", "sync"),
		age:          desc("last_good_run_age_seconds", "How long ago the latest good run ended or, without one, the service started.", "sync"),
		stale:        desc("stale", "1 if the sync has had no good run for longer than stale_after.", "sync"),
		held:         desc("held_runs", "Runs that wait for approval.", "sync"),
		queued:       desc("queued_runs", "Runs that wait to begin."),
		lastFeedback: desc("last_feedback_timestamp_seconds", "When the latest webhook of Owlat came; none ever did without it."),
		round:        desc("last_round_timestamp_seconds", "When the latest whole round that looked for people who have left ended; none did without it."),
		roundRead:    desc("last_round_contacts", "Contacts whose memberships that round read."),
		roundPeople:  desc("last_round_people", "People whom that round found to have left topics unnoticed."),
		roundSeconds: desc("last_round_seconds", "How long that round worked."),
		writeBacks:   desc("write_back_deliveries", "Deliveries of write-backs that are not done, by state: waiting or dead.", "target", "state"),
		oldest:       desc("write_back_overdue_seconds", "For how long the delivery that is due next has been due.", "target"),
		pace:         desc("budget_pace_requests_per_second", "How fast requests to Owlat may be sent with an API key as things stand, by the key's place in the configuration.", "key"),
		limit:        desc("budget_limit_requests_per_second", "What Owlat allows that API key.", "key"),
		share:        desc("budget_share", "The part of that limit that is left to this service, from 0 to 1.", "key"),
		refused:      desc("budget_key_refused", "1 if Owlat refuses that API key, or it lacks a scope, so that others of the configuration do its work.", "key"),
	}
	m.Unwatch()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.standing = s
	m.registry.MustRegister(s)
}

// Unwatch ends what Watch has begun.
func (m *Metrics) Unwatch() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standing != nil {
		m.registry.Unregister(m.standing)
		m.standing = nil
	}
}

// Describe lists what a scrape may have.
func (s *standing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.lastGood, s.age, s.stale, s.held, s.queued, s.lastFeedback, s.round, s.roundRead, s.roundPeople, s.roundSeconds, s.writeBacks, s.oldest, s.pace, s.limit, s.share, s.refused} {
		to <- d
	}
}

// Collect reads how things stand.
func (s *standing) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if s.budget != nil {
		for i, key := range s.budget.Keys() {
			limit, refused := float64(owlat.DefaultRate), 0.0
			if key.RateLimit.Limit > 0 {
				limit = float64(key.RateLimit.Limit)
			}
			if len(key.Refused) > 0 {
				refused = 1
			}
			place := strconv.Itoa(i + 1)
			gauge(s.pace, key.Rate, place)
			gauge(s.limit, limit, place)
			gauge(s.share, min(1, key.Rate/limit), place)
			gauge(s.refused, refused, place)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	now := s.signs.Now()
	signs, err := s.signs.ReadWithin(ctx, now, signsAge)
	if err != nil {
		to <- prometheus.NewInvalidMetric(s.age, err)
		return
	}
	for _, one := range signs.Syncs {
		from := one.Since
		if !one.LastGood.IsZero() {
			from = one.LastGood
			gauge(s.lastGood, unix(one.LastGood), one.Name)
		}
		gauge(s.age, max(0, now.Sub(from)).Seconds(), one.Name)
		gauge(s.held, float64(len(one.Held)), one.Name)
		stale := 0.0
		if one.Stale(now) {
			stale = 1
		}
		gauge(s.stale, stale, one.Name)
	}
	gauge(s.queued, float64(signs.Queued))
	if !signs.LastFeedback.IsZero() {
		gauge(s.lastFeedback, unix(signs.LastFeedback))
	}
	if r := signs.Round; !r.Ended.IsZero() {
		gauge(s.round, unix(r.Ended))
		gauge(s.roundRead, float64(r.Contacts))
		gauge(s.roundPeople, float64(r.People))
		gauge(s.roundSeconds, r.Seconds)
	}
	for _, w := range signs.WriteBacks {
		gauge(s.writeBacks, float64(w.Waiting), w.Target, "waiting")
		gauge(s.writeBacks, float64(w.Dead), w.Target, "dead")
		due := time.Duration(0)
		if !w.Next.IsZero() {
			due = max(0, now.Sub(w.Next))
		}
		gauge(s.oldest, due.Seconds(), w.Target)
	}
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// known keeps what a stranger may send from making labels without end.
func known(event string) string {
	if slices.Contains(config.FeedbackEvents, event) {
		return event
	}
	return "other"
}
