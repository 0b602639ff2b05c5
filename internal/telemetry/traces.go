package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// mostRequests is how many requests of a run have spans of their own. A trace with all the requests of a large run would be too
// large for what keeps traces. Requests that fail or are slow have as many more.
const mostRequests = 500

// slow is from when on a request is told although many others were.
const slow = 5 * time.Second

// Traces sends a trace of each run: a span for the run, one for each stage, and one for each of the first requests. A nil *Traces
// does nothing. It is safe for concurrent use.
type Traces struct {
	provider   *sdk.TracerProvider
	tracer     trace.Tracer
	deployment string // empty: the only one

	mu      sync.Mutex
	runs    map[progress.About]*runSpan
	current *runSpan // the run that told something last: only one sends requests at a time; nil: none
}

// Asked reports whether the standard variables ask for traces.
func Asked(lookup func(string) (string, bool)) bool {
	get := func(name string) string {
		v, _ := lookup(name)
		return strings.TrimSpace(v)
	}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || get("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return get("OTEL_TRACES_EXPORTER") != "" || get("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// StartTraces returns traces that go where OpenTelemetry's standard variables say, nil if they ask for none. Lookup decides that; the
// exporter reads the process's own environment. What the variables ask for and cannot be had is an error: the caller tells
// it and goes on without traces. Traces that cannot be sent are lost, and log gets the reason.
func StartTraces(ctx context.Context, lookup func(string) (string, bool), version string, log *slog.Logger) (*Traces, error) {
	if !Asked(lookup) {
		return nil, nil
	}
	if which, _ := lookup("OTEL_TRACES_EXPORTER"); which != "" && which != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q, and only otlp and none are known: traces are not sent", which)
	}
	protocol, _ := lookup("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol, _ = lookup("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, and only http/protobuf is spoken: traces are not sent; collectors take it at port 4318", protocol)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	// What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say takes precedence.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "owlat-sync"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("send traces: read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// The library has one place for its errors in a process, which by default writes past the log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces were not sent", "error", err) }))
	return newTraces(sdk.WithBatcher(exporter), sdk.WithResource(about)), nil
}

func newTraces(options ...sdk.TracerProviderOption) *Traces {
	provider := sdk.NewTracerProvider(options...)
	return &Traces{provider: provider, tracer: provider.Tracer("owlatsync"), runs: make(map[progress.About]*runSpan)}
}

// Of returns the traces of one of several deployments, whose name their spans have. They are sent until those of the whole service are
// closed.
func (t *Traces) Of(deployment string) *Traces {
	if t == nil || deployment == "" {
		return t
	}
	return &Traces{provider: t.provider, tracer: t.tracer, deployment: deployment, runs: make(map[progress.About]*runSpan)}
}

// End ends the spans of runs that have told no end.
func (t *Traces) End() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for about, r := range t.runs {
		r.end(time.Now())
		delete(t.runs, about)
	}
	t.current = nil
}

// Close sends what is left, until ctx ends.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.End()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// runSpan is the span of a run that goes on.
type runSpan struct {
	ctx      context.Context
	span     trace.Span
	stage    trace.Span // nil: none yet
	inStage  context.Context
	told     int // requests with a span
	odd      int // requests that failed or were slow and have a span beyond those
	untold   int
	requests int
}

// Observe takes in a value of a run. It is an observer's Each.
func (t *Traces) Observe(v progress.Value) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if started, ok := v.(progress.Started); ok && started.Run != 0 {
		t.start(started)
		return
	}
	about := aboutOf(v)
	r := t.runs[about]
	if r == nil {
		return
	}
	t.current = r
	switch v := v.(type) {
	case progress.Staged:
		r.enter(t.tracer, string(v.Stage))
	case progress.Planned:
		s := v.Summary
		r.span.SetAttributes(attribute.Int("owlat_sync.rows", s.Rows), attribute.Int("owlat_sync.planned_requests", s.Requests))
		r.span.AddEvent("planned")
	case progress.Held:
		for _, hit := range v.Guards {
			r.span.AddEvent("held", trace.WithAttributes(attribute.String("guard", string(hit.Guard)), attribute.String("reason", hit.Reason)))
		}
	case progress.Waiting:
		r.enter(t.tracer, "waits for its turn")
		t.current = nil // the requests are another run's meanwhile
	case progress.Afresh:
		r.span.AddEvent("reads its source again", trace.WithAttributes(attribute.Int("stretch", v.Stretch)))
	case progress.Ended:
		delete(t.runs, about)
		t.current = nil
		r.tell(v)
		r.end(time.Now())
	}
}

// aboutOf returns the run of a value of those that traces tell; the zero value for others.
func aboutOf(v progress.Value) progress.About {
	switch v := v.(type) {
	case progress.Staged:
		return v.About
	case progress.Planned:
		return v.About
	case progress.Held:
		return v.About
	case progress.Waiting:
		return v.About
	case progress.Afresh:
		return v.About
	case progress.Ended:
		return v.About
	}
	return progress.About{}
}

func (t *Traces) start(v progress.Started) {
	ctx, span := t.tracer.Start(context.Background(), "run "+v.Sync, trace.WithTimestamp(v.At),
		trace.WithAttributes(attribute.String("owlat_sync.sync", v.Sync), attribute.Int64("owlat_sync.run", v.Run)))
	if t.deployment != "" {
		span.SetAttributes(attribute.String("owlat_sync.deployment", t.deployment))
	}
	r := &runSpan{ctx: ctx, span: span, inStage: ctx}
	t.runs[v.About], t.current = r, r
	r.enter(t.tracer, string(ledger.StageStarting))
}

func (r *runSpan) enter(tracer trace.Tracer, stage string) {
	if r.stage != nil {
		r.stage.End()
	}
	r.inStage, r.stage = tracer.Start(r.ctx, stage)
}

func (r *runSpan) tell(v progress.Ended) {
	r.span.SetAttributes(attribute.String("owlat_sync.status", string(v.Status)), attribute.Int("owlat_sync.requests", r.requests))
	if r.untold > 0 {
		r.span.SetAttributes(attribute.Int("owlat_sync.requests_without_span", r.untold))
	}
	if v.Report != nil {
		for outcome, n := range v.Report.Outcomes {
			if n > 0 {
				r.span.SetAttributes(attribute.Int("owlat_sync.outcome."+string(outcome), n))
			}
		}
	}
	switch v.Status {
	case ledger.StatusOK, ledger.StatusFailedRows, ledger.StatusHeld, ledger.StatusInterrupted:
	default:
		r.span.SetStatus(codes.Error, v.Message)
	}
}

func (r *runSpan) end(at time.Time) {
	if r.stage != nil {
		r.stage.End(trace.WithTimestamp(at))
	}
	r.span.End(trace.WithTimestamp(at))
}

// Attempt takes in a request. It is an observer of owlat.WithObserver. Only one run sends requests at a time; those sent while
// none goes on have a trace of their own.
func (t *Traces) Attempt(a owlat.Attempt) {
	if t == nil {
		return
	}
	t.mu.Lock()
	parent, ok := context.Background(), true
	if r := t.current; r != nil {
		parent, ok = r.inStage, r.admit(a)
	}
	t.mu.Unlock()
	if !ok {
		return
	}
	_, span := t.tracer.Start(parent, a.Method+" "+a.Route, trace.WithTimestamp(a.Start), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", a.Method), attribute.String("url.template", a.Route),
		attribute.Float64("owlat_sync.waited_seconds", a.Waited.Seconds())))
	if a.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", a.Status))
	}
	if a.Try > 1 {
		span.SetAttributes(attribute.Int("http.request.resend_count", a.Try-1))
	}
	if a.Err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(a.Start.Add(a.Duration)))
}

// admit reports whether the request has a span.
func (r *runSpan) admit(a owlat.Attempt) bool {
	r.requests++
	switch {
	case r.told < mostRequests:
		r.told++
	case (a.Err != nil || a.Duration >= slow) && r.odd < mostRequests:
		r.odd++
	default:
		r.untold++
		return false
	}
	return true
}
