// Package telemetry is what a service tells the systems that watch it: metrics in Prometheus' form, traces over OpenTelemetry's
// protocol, and a log whose lines say which sync and run they are about. Nothing in it holds an address, a row's key or a secret.
package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"owlatsync"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// prefix is the namespace of all metrics but those of the process.
const prefix = "owlat_sync"

// Budget tells how fast requests may be sent; *owlat.Client is one.
type Budget interface {
	Keys() []owlat.Key
}

// Signs tells how the service is doing.
type Signs interface {
	Now() time.Time // by the ledger's clock
	ReadWithin(ctx context.Context, now time.Time, age time.Duration) (vitals.Signs, error)
}

// Metrics counts what happens and reads how things stand when it is asked: those of a whole service, or of one of its deployments (see
// Of). A nil *Metrics counts nothing. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	several  bool
	about    prometheus.Labels // of everything here; nil: nothing
	whole    *Metrics          // of which these are a part; nil: they are whole

	runs         *prometheus.CounterVec
	runSeconds   prometheus.ObserverVec
	running      *prometheus.GaugeVec
	rows         *prometheus.CounterVec
	memberships  *prometheus.CounterVec
	kept         *prometheus.CounterVec
	requests     *prometheus.CounterVec
	requestTimes prometheus.ObserverVec
	waits        prometheus.ObserverVec
	feedback     *prometheus.CounterVec
	optOuts      *prometheus.CounterVec
	writeBacks   *prometheus.CounterVec
	alerts       *prometheus.CounterVec
	deployments  *prometheus.GaugeVec
	astray       *prometheus.CounterVec

	mu       sync.Mutex
	going    map[progress.About]bool
	syncs    map[string]bool // that have counters
	standing *standing       // nil: nothing is watched
}

// keyDeployment is the label that tells several deployments apart.
const keyDeployment = "deployment"

// NewMetrics returns metrics of a service of that version. They have a registry of their own.
func NewMetrics(version string) *Metrics { return newMetrics(version, false) }

// NewMetricsOfSeveral returns metrics of a service of several deployments. All but those of the process have the label "deployment", and
// are counted by what Of returns.
func NewMetricsOfSeveral(version string) *Metrics { return newMetrics(version, true) }

func newMetrics(version string, several bool) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), several: several, going: make(map[progress.About]bool)}
	of := func(labels []string) []string {
		if several {
			return append([]string{keyDeployment}, labels...)
		}
		return labels
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: name, Help: help}, of(labels))
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: prefix, Name: name, Help: help, Buckets: buckets}, of(labels))
		m.registry.MustRegister(h)
		return h
	}
	m.runs = counter("runs_total", "Runs that ended, by how they ended.", "sync", "status")
	m.runSeconds = histogram("run_duration_seconds", "How long runs took.", []float64{.1, .3, 1, 3, 10, 30, 100, 300, 1000, 3600, 10800, 43200}, "sync")
	m.running = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: prefix, Name: "running", Help: "Runs that go on."}, of([]string{"sync"}))
	m.registry.MustRegister(m.running)
	m.rows = counter("rows_total", "Rows of runs that ended, by what became of them.", "sync", "outcome")
	m.kept = counter("values_kept_total", "Values that runs left as Owlat has them although rows say something else.", "sync")
	m.memberships = counter("memberships_total", "Topic memberships that runs changed or left alone.", "sync", "change")
	m.requests = counter("requests_total", "Requests to Owlat, by route and the status of the answer; none: no answer came.", "method", "route", "status")
	m.requestTimes = histogram("request_duration_seconds", "How long Owlat took to answer.", []float64{.01, .03, .1, .3, 1, 3, 10, 30}, "route")
	m.waits = histogram("limiter_wait_seconds", "How long requests waited for the budget and between tries.", []float64{.001, .01, .1, .3, 1, 3, 10, 30, 100})
	m.feedback = counter("feedback_total", "Webhooks of Owlat that were taken in, by event.", "event")
	m.optOuts = counter("opt_outs_total", "Topics that people left, as webhooks told or as was found by reading, each once.")
	m.writeBacks = counter("write_back_attempts_total", "Attempts to write feedback back.", "target", "result")
	m.alerts = counter("alerts_total", "Messages to the channels of alerts.", "channel", "result")
	m.deployments = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: prefix, Name: "deployments", Help: "Deployments of the service, by state: open or left_out."}, []string{"state"})
	m.astray = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: "webhooks_astray_total", Help: "Webhooks that reached no deployment, by why: unknown or not_open."}, []string{"why"})
	m.registry.MustRegister(m.deployments, m.astray)
	m.Deployments(1, 0)
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: prefix, Name: "build_info", Help: "The program's version; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if !several {
		m.fill()
	}
	return m
}

// Clock makes the metrics show by how much the machine's clock is ahead of the one that nodes share.
func (m *Metrics) Clock(ahead func() time.Duration) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: prefix, Name: "clock_ahead_seconds", Help: "By how much the clock of this machine is ahead of PostgreSQL's; below zero it is behind.",
	}, func() float64 { return ahead().Seconds() }))
}

// fill makes what has no labels of its own be there from the beginning, at zero.
func (m *Metrics) fill() {
	m.waits.WithLabelValues()
	m.optOuts.WithLabelValues()
}

// Of returns the metrics of a deployment by its name. A service with one deployment has one set of metrics.
func (m *Metrics) Of(deployment string) *Metrics {
	if m == nil || !m.several {
		return m
	}
	about := prometheus.Labels{keyDeployment: deployment}
	of := &Metrics{
		registry: m.registry, whole: m, about: about, going: make(map[progress.About]bool), runs: m.runs.MustCurryWith(about), runSeconds: m.runSeconds.MustCurryWith(about),
		running: m.running.MustCurryWith(about), rows: m.rows.MustCurryWith(about), memberships: m.memberships.MustCurryWith(about), kept: m.kept.MustCurryWith(about),
		requests: m.requests.MustCurryWith(about), requestTimes: m.requestTimes.MustCurryWith(about), waits: m.waits.MustCurryWith(about),
		feedback: m.feedback.MustCurryWith(about), optOuts: m.optOuts.MustCurryWith(about), writeBacks: m.writeBacks.MustCurryWith(about),
		alerts: m.alerts.MustCurryWith(about),
	}
	of.fill()
	return of
}

// Deployments tells how many deployments are open, and how many are left out because of a mistake.
func (m *Metrics) Deployments(open, leftOut int) {
	m.deployments.WithLabelValues("open").Set(float64(open))
	m.deployments.WithLabelValues("left_out").Set(float64(leftOut))
}

// Astray counts a webhook that reached no deployment.
func (m *Metrics) Astray(why string) { m.astray.WithLabelValues(why).Inc() }

// deleter is a vector whose metrics can be taken away.
type deleter interface {
	DeletePartialMatch(labels prometheus.Labels) int
}

// Forget takes away all metrics of a deployment that is gone.
func (m *Metrics) Forget(deployment string) {
	if m.several {
		m.drop(prometheus.Labels{keyDeployment: deployment})
	}
}

// drop takes away what has these labels, and those that everything here has.
func (m *Metrics) drop(labels prometheus.Labels) {
	whole := m
	if m.whole != nil {
		whole = m.whole // a part of a vector would take away what others have, too
	}
	maps.Copy(labels, m.about)
	for _, v := range []any{
		whole.runs, whole.runSeconds, whole.running, whole.rows, whole.memberships, whole.kept, whole.requests, whole.requestTimes, whole.waits, whole.feedback,
		whole.optOuts, whole.writeBacks, whole.alerts,
	} {
		v.(deleter).DeletePartialMatch(labels)
	}
}

// Handler serves the metrics for GET. A scrape that cannot read the ledger still has everything else, and log gets the reason.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: 30 * time.Second,
	})
}

// Know names the syncs that are configured, so that their counters are there from the beginning, at zero. Those of others go.
func (m *Metrics) Know(syncs ...string) {
	if m == nil {
		return
	}
	known := make(map[string]bool, len(syncs))
	for _, s := range syncs {
		known[s] = true
		m.running.WithLabelValues(s)
		m.runSeconds.WithLabelValues(s)
		for _, status := range []ledger.Status{ledger.StatusOK, ledger.StatusFailedRows, ledger.StatusStopped, ledger.StatusInterrupted, ledger.StatusHeld, ledger.StatusError} {
			m.runs.WithLabelValues(s, string(status))
		}
		for _, outcome := range owlatsync.Outcomes {
			m.rows.WithLabelValues(s, string(outcome))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for about := range m.going {
		known[about.Sync] = true // its end is still to be counted
	}
	for gone := range m.syncs {
		if !known[gone] {
			m.drop(prometheus.Labels{"sync": gone})
		}
	}
	m.syncs = known
}

// Observe takes in a value of a run. It is an observer's Each; a slow one that loses values still counts runs, for Started and Ended
// are not lost.
func (m *Metrics) Observe(v progress.Value) {
	if m == nil {
		return
	}
	switch v := v.(type) {
	case progress.Started:
		if v.Run != 0 {
			m.begun(v.About)
		}
	case progress.Ended:
		if v.Run != 0 {
			m.ended(v)
		}
	}
}

func (m *Metrics) begun(about progress.About) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.going[about] {
		m.going[about] = true
		m.running.WithLabelValues(about.Sync).Inc()
	}
}

func (m *Metrics) ended(v progress.Ended) {
	m.mu.Lock()
	if m.going[v.About] {
		delete(m.going, v.About)
		m.running.WithLabelValues(v.Sync).Dec()
	}
	m.mu.Unlock()
	m.runs.WithLabelValues(v.Sync, string(v.Status)).Inc()
	r := v.Report
	if r == nil {
		return
	}
	m.runSeconds.WithLabelValues(v.Sync).Observe(r.Seconds)
	for outcome, n := range r.Outcomes {
		m.rows.WithLabelValues(v.Sync, string(outcome)).Add(float64(max(0, n)))
	}
	m.kept.WithLabelValues(v.Sync).Add(float64(r.Kept))
	for change, n := range map[string]int{
		"added": r.Memberships.Added, "pending": r.Memberships.Pending, "removed": r.Memberships.Removed, "skipped": r.Memberships.Skipped,
		"opted out": r.Memberships.OptedOut,
	} {
		m.memberships.WithLabelValues(v.Sync, change).Add(float64(max(0, n)))
	}
}

// Attempt takes in a request. It is an observer of owlat.WithObserver.
func (m *Metrics) Attempt(a owlat.Attempt) {
	if m == nil {
		return
	}
	status := "none"
	if a.Status != 0 {
		status = strconv.Itoa(a.Status)
	}
	m.requests.WithLabelValues(a.Method, a.Route, status).Inc()
	m.requestTimes.WithLabelValues(a.Route).Observe(a.Duration.Seconds())
	m.waits.WithLabelValues().Observe(max(0, a.Waited).Seconds())
}

// Feedback counts a webhook that was taken in, or a departure that was found, and the opt-outs of which it was the first to tell.
func (m *Metrics) Feedback(event string, optOuts int) {
	if m == nil {
		return
	}
	m.feedback.WithLabelValues(known(event)).Inc()
	m.optOuts.WithLabelValues().Add(float64(max(0, optOuts)))
}

// WriteBack counts an attempt to write feedback back; dead says that it was the last one.
func (m *Metrics) WriteBack(target string, err error, dead bool) {
	if m == nil {
		return
	}
	result := "done"
	switch {
	case dead:
		result = "dead"
	case err != nil:
		result = "failed"
	}
	m.writeBacks.WithLabelValues(target, result).Inc()
}

// Alert counts a message to a channel of alerts.
func (m *Metrics) Alert(channel string, err error) {
	if m == nil {
		return
	}
	result := "sent"
	if err != nil {
		result = "failed"
	}
	m.alerts.WithLabelValues(channel, result).Inc()
}
