package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"owlatsync"
)

func TestManyRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limited, total int
		want           bool
	}{{0, 100, false}, {9, 20, false}, {10, 200, false}, {10, 199, true}, {600, 1000, true}} {
		var out bytes.Buffer
		report := owlatsync.NewReport("users", "1")
		report.Requests = owlatsync.RequestCounts{Total: c.total, RateLimited: c.limited}
		r := &runner{reports: []*owlatsync.Report{report}}
		r.printEnd(newApp(nil, strings.NewReader(""), &out, io.Discard))
		if got := strings.Contains(out.String(), "something else seems to use this API key"); got != c.want {
			t.Errorf("%d of %d refused, said %v:\n%s", c.limited, c.total, got, &out)
		}
	}
}
