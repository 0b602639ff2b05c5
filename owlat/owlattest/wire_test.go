package owlattest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/owlat/owlattest"
)

// The recorded exchanges in testdata/wire: requests and the answers that the real code gave to them.

type wireFile struct {
	Cases []wireCase `json:"cases"`
}

type wireCase struct {
	Name  string          `json:"name"`
	Given owlattest.Given `json:"given"`
	Steps []wireStep      `json:"steps"`
}

type wireRequest struct {
	Key           *string            `json:"key"`
	Method        string             `json:"method"`
	Path          string             `json:"path"`
	Headers       map[string]*string `json:"headers"`
	Authorization *string            `json:"authorization"`
	Body          json.RawMessage    `json:"body"`
	RawBody       *string            `json:"rawBody"`
}

type wireStep struct {
	Do string `json:"do"`
	wireRequest
	Expect     json.RawMessage `json:"expect"`
	N          int             `json:"n"`
	IntervalMS int             `json:"intervalMs"`
	Request    wireRequest     `json:"request"`
	MS         int             `json:"ms"`
	Email      string          `json:"email"`
	Topic      string          `json:"topic"`
	Contact    string          `json:"contact"`
}

type wireExpect struct {
	Status  int                `json:"status"`
	Headers map[string]*string `json:"headers"`
	Body    json.RawMessage    `json:"body"`
	Text    *string            `json:"text"`
}

type wireBurst struct {
	OK              [2]int      `json:"ok"`
	RateLimited     [2]int      `json:"rateLimited"`
	EachOK          *wireExpect `json:"eachOk"`
	EachRateLimited *wireExpect `json:"eachRateLimited"`
}

func readWire(t testing.TB) map[string]wireFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/wire/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded exchanges: %v", err)
	}
	files := map[string]wireFile{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f wireFile
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = f
	}
	return files
}

// bindings holds what placeholders stand for: "c1", "iso:t1", "cursor:p1", "topic:open", "key:all".
type bindings map[string]string

var braces = regexp.MustCompile(`\{\{([^}]+)\}\}`)

func (b bindings) fill(t testing.TB, s string, escape func(string) string) string {
	return braces.ReplaceAllStringFunc(s, func(m string) string {
		val, ok := b[m[2:len(m)-2]]
		if !ok {
			t.Fatalf("unbound placeholder %s", m)
		}
		if escape != nil && strings.HasPrefix(m, "{{cursor:") {
			return escape(val)
		}
		return val
	})
}

var (
	placeholder = regexp.MustCompile(`^<([^>]*)>$`)
	isoTime     = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	eventID     = regexp.MustCompile(`^evt_[a-z0-9]+$`)
	idForm      = regexp.MustCompile(`^[a-z0-9]{32}$`)
	hexSum      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	tenDigits   = regexp.MustCompile(`^\d{10}$`)
)

// match compares an answer with what was recorded, binding placeholders on the way.
func (b bindings) match(t testing.TB, where string, want, got any) error {
	switch want := want.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(want); m != nil {
			return b.bind(where, m[1], got)
		}
		if want = b.fill(t, want, nil); got != any(want) {
			return fmt.Errorf("%s: got %#v, want %q", where, got, want)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s: got %v, want a list of %d", where, got, len(want))
		}
		for i := range want {
			if err := b.match(t, fmt.Sprintf("%s[%d]", where, i), want[i], list[i]); err != nil {
				return err
			}
		}
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(want))) {
			return fmt.Errorf("%s: got %v, want the keys %v", where, got, slices.Sorted(maps.Keys(want)))
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if err := b.match(t, where+"."+name, want[name], fields[name]); err != nil {
				return err
			}
		}
	default:
		if got != want {
			return fmt.Errorf("%s: got %#v, want %#v", where, got, want)
		}
	}
	return nil
}

func (b bindings) bind(where, spec string, got any) error {
	kind, rest, _ := strings.Cut(spec, ":")
	s, isText := got.(string)
	bad := func() error { return fmt.Errorf("%s: got %#v, want <%s>", where, got, spec) }
	form := map[string]*regexp.Regexp{
		"id": idForm, "iso": isoTime, "eventId": eventID, "hmac-sha256-hex": hexSum, "epochS": tenDigits,
	}[kind]
	switch {
	case kind == "epochMs":
		if n, ok := got.(float64); !ok || n < 9e11 || n != float64(int64(n)) {
			return bad()
		}
		return nil
	case !isText || s == "" || form != nil && !form.MatchString(s):
		return bad()
	}
	switch kind {
	case "id":
		for name, val := range b {
			if val == s {
				return fmt.Errorf("%s: id %s was seen before as %s", where, s, name)
			}
		}
		b[rest] = s
	case "cursor":
		b[spec] = s
	case "iso":
		name, after, ordered := strings.Cut(rest, ":after:")
		if ordered && !later(s, b["iso:"+after]) {
			return fmt.Errorf("%s: %s is not later than %s", where, s, b["iso:"+after])
		}
		if name != "" {
			b["iso:"+name] = s
		}
	}
	return nil
}

func later(a, b string) bool {
	ta, errA := time.Parse(time.RFC3339, a)
	tb, errB := time.Parse(time.RFC3339, b)
	return errA == nil && errB == nil && ta.After(tb)
}
