package age

import "testing"

func TestOlder(t *testing.T) {
	t.Parallel()
	done := Done{Ledger: "a", Generation: 7}
	for _, c := range []struct {
		name  string
		age   Age
		used  bool
		known bool
		want  string
	}{
		{"a new ledger in a new place", Age{Ledger: "b"}, false, false, ""},
		{"a new ledger where another was", Age{Ledger: "b"}, false, true, ""},
		{"a ledger of a version that kept no age", Age{Ledger: "b"}, true, false, ""},
		{"the ledger as it was left", Age{Ledger: "a", Generation: 7}, true, true, ""},
		{"a kill came before what was done was kept", Age{Ledger: "a", Generation: 9}, true, true, ""},
		{"a copy made at rest, and nothing was done since", Age{Ledger: "a", Generation: 7, Copied: "rest:1"}, true, true, ""},
		{"a copy made in a run that was killed at once", Age{Ledger: "a", Generation: 7, Copied: "run:1"}, true, true, OlderRun},
		{"an older copy", Age{Ledger: "a", Generation: 6}, true, true, OlderCopy},
		{"another ledger", Age{Ledger: "b", Generation: 9}, true, true, OlderOther},
		{"an older copy of a version that kept no age", Age{Ledger: "b"}, true, true, OlderOther},
		{"what was done is not known", Age{Ledger: "a", Generation: 7}, true, false, OlderUnknown},
	} {
		if got := Older(c.age, c.used, done, c.known); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	both := Age{Ledger: "a", Was: "z", Generation: 9, Log: "salts", Base: 5}
	for _, c := range []struct {
		name  string
		alone Age
		log   string
		want  bool
	}{
		{"the file as it was when the log was begun", Age{Ledger: "a", Generation: 5}, "salts", false},
		{"a part of the log is in the file", Age{Ledger: "a", Generation: 7}, "salts", false},
		{"the file is older than the log", Age{Ledger: "a", Generation: 4}, "salts", true},
		{"a log that was begun since", Age{Ledger: "a", Generation: 8}, "other salts", false},
		{"the file is older than a log that was begun since", Age{Ledger: "a", Generation: 7}, "other salts", true},
		{"another ledger", Age{Ledger: "b", Generation: 7}, "salts", true},
		{"a copy of the ledger", Age{Ledger: "a", Generation: 7, Copied: "rest:1"}, "salts", true},
		{"the ledger was set back since", Age{Ledger: "z", Generation: 5, Copied: "rest:1"}, "salts", false},
		{"an older file of the ledger that was set back since", Age{Ledger: "z", Generation: 4}, "salts", true},
	} {
		if got := Strangers(c.alone, both, c.log); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
