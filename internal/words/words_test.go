package words_test

import (
	"testing"
	"time"

	"owlatsync/internal/words"
)

func TestHarmlessDoesNotMoveTheCursor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"two\nlines":               "two\nlines",
		"Ünïcode 🦉":                "Ünïcode 🦉",
		"a\x1b[2Jb\r\tc'\"":        `a\x1b[2Jb\r\tc'"`,
		"invalid \xff, \u202e too": "invalid \ufffd, \\u202e too",
	} {
		if got := words.Harmless(in); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintableQuotesWhatCannotBeShown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":        "",
		"4711":    "4711",
		"Ünï 🦉":   "Ünï 🦉",
		"a\nb":    `"a\nb"`,
		"a\x1b[J": `"a\x1b[J"`,
		"\ufffd":  `"�"`,
	} {
		if got := words.Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbersTakeTheirNouns(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		words.Plural(0, "row"):                        "0 rows",
		words.Plural(1, "row"):                        "1 row",
		words.Several(1, "row is", "rows are"):        "1 row is",
		words.Several(12, "address", "addresses"):     "12 addresses",
		words.YesNo(true) + words.YesNo(false):        "yesno",
		words.OrElse("", "-") + words.OrElse("a", ""): "-a",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSpansAreAsTheConfigurationWritesThem(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		90 * time.Minute:          "1h30m",
		45 * time.Minute:          "45m",
		24 * time.Hour:            "24h",
		48 * time.Hour:            "2d",
		36 * time.Hour:            "36h",
		time.Minute + time.Second: "1m1s",
	} {
		if got := words.Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestShellWordsStayOneWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"4711":            "4711",
		"ada@example.com": "ada@example.com",
		"":                "''",
		"a b":             "'a b'",
		"it's":            `'it'\''s'`,
		"$HOME":           "'$HOME'",
	} {
		if got := words.ShellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestAlignRight(t *testing.T) {
	t.Parallel()
	got := words.AlignRight([][]string{{"", "users"}, {"rows", "12"}, {"  created", "1234567"}})
	if want := "             users\nrows            12\n  created  1234567\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
