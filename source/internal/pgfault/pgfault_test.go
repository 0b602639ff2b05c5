package pgfault

import "testing"

func TestAttemptsThatSayTheSameAreToldOnce(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"failed to connect:\n\ta:1: refused\n\ta:1: refused":                              "failed to connect: a:1: refused",
		"failed to connect:\n\ta:1: refused\n\ta:1: refused\n\tb:1: late\n\ta:1: refused": "failed to connect: a:1: refused b:1: late a:1: refused",
		"one line": "one line",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
