package cell

import (
	"fmt"
	"testing"
)

// TestConsent reads values of every kind by the usual words and by lists.
func TestConsent(t *testing.T) {
	t.Parallel()
	const yes, no, unclear = "yes", "no", "unclear"
	text := func(s string) Cell { return Cell{Kind: Text, Text: []byte(s)} }
	number := func(k Kind, s string) Cell { return Cell{Kind: k, Text: []byte(s)} }
	status := [2][]string{{"subscribed", " Ja ", "1"}, {"UNSUBSCRIBED", "3"}}
	onlyYes := [2][]string{{"subscribed"}, nil}
	onlyNo := [2][]string{nil, {"bounced", "1.50"}}
	for _, tt := range []struct {
		c     Cell
		words [2][]string
		want  string
	}{
		{Cell{Null: true}, [2][]string{}, no},
		{text("  "), [2][]string{}, no},
		{Cell{Kind: Padded, Text: []byte("   ")}, status, no},
		{text("\x01"), [2][]string{}, yes},
		{Cell{Kind: Boolean, Text: Truth(true)}, [2][]string{}, yes},
		{number(Integer, "1"), [2][]string{}, yes},
		{number(Integer, "0"), [2][]string{}, no},
		{number(Integer, "-1"), [2][]string{}, unclear},
		{number(Integer, "3"), [2][]string{}, unclear},
		{number(Number, "1.000"), [2][]string{}, yes},
		{number(Number, "0.0"), [2][]string{}, no},
		{number(Number, "1.0000000000000000001"), [2][]string{}, unclear},
		{number(Number, "1e0"), [2][]string{}, yes},
		{number(Number, "NaN"), [2][]string{}, unclear},
		{number(Moment, "2026-11-03T00:00:00Z"), [2][]string{}, unclear},
		{number(Nested, "{}"), status, unclear},

		{Cell{Null: true}, status, no},
		{text("Subscribed"), status, yes},
		{text("JA"), status, yes},
		{text(" unsubscribed "), status, no},
		{text("unconfirmed"), status, unclear},
		{text("yes"), status, unclear},
		{text("no"), status, unclear},
		{number(Integer, "1"), status, yes},
		{number(Number, "1.00"), status, yes},
		{number(Integer, "3"), status, no},
		{number(Integer, "4"), status, unclear},
		{text("03"), status, no},
		{Cell{Kind: Boolean, Text: Truth(true)}, status, yes},
		{Cell{Kind: Boolean, Text: Truth(false)}, status, unclear},
		{Cell{Kind: Boolean, Text: Truth(false)}, [2][]string{nil, {"off"}}, no},

		{text("yes"), onlyYes, unclear},
		{text("off"), onlyYes, no},
		{text("unsubscribed"), onlyYes, unclear},
		{text("yes"), onlyNo, yes},
		{text("off"), onlyNo, unclear},
		{number(Number, "1.5"), onlyNo, no},
		{number(Integer, "1"), onlyNo, yes},
		{number(Integer, "0"), onlyNo, unclear},
	} {
		w, err := NewWords(tt.words[0], tt.words[1])
		if err != nil {
			t.Fatal(err)
		}
		got := unclear
		if said, isClear := tt.c.Consent(w); isClear {
			got = map[bool]string{true: yes, false: no}[said]
		}
		if got != tt.want {
			t.Errorf("%q of kind %d by %q: %s, want %s", tt.c.Text, tt.c.Kind, tt.words, got, tt.want)
		}
	}
}

func TestWordsThatContradict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		yes, no []string
		want    string
	}{
		{nil, nil, ""},
		{[]string{"a", "A"}, []string{"b"}, ""},
		{[]string{"Ja"}, []string{"nein", " JA "}, `" JA " means yes and no`},
		{[]string{"1.0"}, []string{"1"}, `"1" means yes and no`},
		{[]string{" "}, nil, "an empty text cannot be listed; it always means no, as NULL does"},
		{nil, []string{""}, "an empty text cannot be listed; it always means no, as NULL does"},
	} {
		_, err := NewWords(tt.yes, tt.no)
		if got := fmt.Sprint(err); err != nil && got != tt.want || err == nil && tt.want != "" {
			t.Errorf("%q and %q: %v, want %q", tt.yes, tt.no, err, tt.want)
		}
	}
}
