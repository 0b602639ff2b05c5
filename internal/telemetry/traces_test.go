package telemetry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

var users = progress.About{Sync: "users", Run: 7}

func attempt(route string) owlat.Attempt {
	return owlat.Attempt{Method: "POST", Route: route, Status: 200, Start: time.Now(), Duration: time.Millisecond, Try: 1}
}

// TestATraceOfARun tells a run with its requests, beside one that waits for its turn, and shows the spans as a tree.
func TestATraceOfARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		tr := newTraces(sdk.WithSpanProcessor(spans))
		leads := progress.About{Sync: "leads", Run: 8}
		tr.Observe(progress.Started{About: leads, At: time.Now()})
		tr.Observe(progress.Waiting{About: leads})
		tr.Observe(progress.Started{About: progress.About{Sync: "users"}, At: time.Now()}) // a plan
		tr.Observe(progress.Started{About: users, At: time.Now()})
		time.Sleep(time.Second)
		tr.Observe(progress.Staged{About: users, Stage: ledger.StageApplying})
		tr.Observe(progress.Planned{About: users, Summary: owlatsync.Summary{Rows: 3}})
		tr.Attempt(attempt("/contacts"))
		failed := attempt("/events")
		failed.Err, failed.Status, failed.Try = errors.New("ada@example.com is not welcome"), 0, 2
		tr.Attempt(failed)
		time.Sleep(time.Second)
		tr.Observe(progress.Ended{About: users, Status: ledger.StatusStopped, Message: "refused", Report: &owlatsync.Report{Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 2}}})
		tr.Attempt(attempt("/health"))
		if err := tr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"run leads > starting", "run leads > waits for its turn", "run leads", "run users > starting 1s", "run users > applying > POST /contacts", "run users > applying > POST /events error",
			"run users > applying 1s", "run users 2s error: refused", "POST /health",
		}
		if got := tree(spans.Ended()); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, s := range spans.Ended() {
			if strings.Contains(fmt.Sprint(s.Attributes(), s.Events(), s.Status()), "example.com") {
				t.Errorf("the span %s has an address", s.Name())
			}
		}
	})
}

// tree names each span by its path, with its time and what is wrong.
func tree(spans []sdk.ReadOnlySpan) (paths []string) {
	names := map[string]sdk.ReadOnlySpan{}
	for _, s := range spans {
		names[s.SpanContext().SpanID().String()] = s
	}
	for _, s := range spans {
		path := s.Name()
		for up := s; up.Parent().IsValid(); {
			if up = names[up.Parent().SpanID().String()]; up == nil {
				path = "? > " + path
				break
			}
			path = up.Name() + " > " + path
		}
		if took := s.EndTime().Sub(s.StartTime()); took >= time.Second && !strings.Contains(path, "leads") {
			path += " " + took.String()
		}
		if s.Status().Code == codes.Error {
			path = strings.TrimSuffix(path+" error: "+s.Status().Description, ": ")
		}
		paths = append(paths, path)
	}
	return paths
}

// TestALargeRunHasASmallTrace sends more requests than have spans.
func TestALargeRunHasASmallTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tr := newTraces(sdk.WithSpanProcessor(spans))
	tr.Observe(progress.Started{About: users, At: time.Now()})
	for range 3 * mostRequests {
		tr.Attempt(attempt("/contacts"))
	}
	tardy := attempt("/contacts")
	tardy.Duration = slow
	tr.Attempt(tardy)
	tr.Observe(progress.Ended{About: users, Status: ledger.StatusOK})
	if got := len(spans.Ended()); got != mostRequests+1+2 {
		t.Errorf("%d spans, want %d", got, mostRequests+1+2)
	}
	last := spans.Ended()[len(spans.Ended())-1]
	if !slices.Contains(last.Attributes(), attribute.Int("owlat_sync.requests_without_span", 2*mostRequests)) {
		t.Errorf("the run's span says %v", last.Attributes())
	}
}

func TestNoTracesUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		ask  bool
		want string // the error
	}{
		{nil, false, ""},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, true, `OTEL_TRACES_EXPORTER is "zipkin"`},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"`},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, true, `is "http/json"`},
	} {
		lookup := func(name string) (string, bool) { v, ok := test.env[name]; return v, ok }
		tr, err := StartTraces(t.Context(), lookup, "v1", slog.New(slog.DiscardHandler))
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v", test.env, err)
		}
		if Asked(lookup) != test.ask || (tr != nil) != (test.ask && test.want == "") {
			t.Errorf("%v: asked %v, traces %v", test.env, Asked(lookup), tr != nil)
		}
		if tr == nil { // it does nothing
			tr.Observe(progress.Started{About: users})
			tr.Attempt(owlat.Attempt{})
		}
		if err := tr.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestTracesReachACollector sends a trace to a real listener, as the process's variables say.
func TestTracesReachACollector(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &in)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "secret" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range in.GetResourceSpans() {
			for _, a := range rs.GetResource().GetAttributes() {
				if strings.HasPrefix(a.GetKey(), "service.") || a.GetKey() == "place" {
					got = append(got, a.GetKey()+" "+a.GetValue().GetStringValue())
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					got = append(got, s.GetName())
				}
			}
		}
	}))
	defer server.Close()
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=secret", "OTEL_RESOURCE_ATTRIBUTES": "place=here",
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	tr, err := StartTraces(t.Context(), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, "v1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tr.Observe(progress.Started{About: users, At: time.Now()})
	tr.Observe(progress.Ended{About: users, Status: ledger.StatusOK})
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := []string{"place here", "run users", "service.name owlat-sync", "service.version v1.2.3", "starting"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
