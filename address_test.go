package owlatsync_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"owlatsync"
)

// recordedVerdicts returns the addresses that recorded creates sent alone, and whether Owlat took each.
func recordedVerdicts(t testing.TB) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("owlat/owlattest/testdata/wire/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges: %v", err)
	}
	verdicts := make(map[string]bool)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var recorded struct {
			Cases []struct {
				Steps []struct {
					Do, Method, Path string
					Key              *string
					Headers          map[string]any
					Body             json.RawMessage
					Expect           json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(raw, &recorded); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range recorded.Cases {
			for _, s := range c.Steps {
				var body map[string]any
				var expect struct{ Status int }
				if s.Do != "request" || s.Method != "POST" || s.Path != "/api/v1/contacts" || s.Headers != nil ||
					json.Unmarshal(s.Body, &body) != nil || json.Unmarshal(s.Expect, &expect) != nil {
					continue
				}
				email, ok := body["email"].(string)
				if !ok || len(body) != 1 || strings.Contains(email, "{{") {
					continue
				}
				switch expect.Status {
				case 201, 409:
					verdicts[email] = true
				case 400:
					verdicts[email] = false
				}
			}
		}
	}
	return verdicts
}

func TestValidAddressAgreesWithRecordedVerdicts(t *testing.T) {
	t.Parallel()
	verdicts := recordedVerdicts(t)
	if len(verdicts) < 40 {
		t.Fatalf("only %d recorded verdicts found", len(verdicts))
	}
	for _, email := range slices.Sorted(maps.Keys(verdicts)) {
		taken := owlatsync.ValidAddress(email) && owlatsync.UTF16Len(email) <= owlatsync.MaxAddress
		if taken != verdicts[email] {
			t.Errorf("%q: taken here %v, by Owlat %v", email, taken, verdicts[email])
		}
	}
}

func TestNormalizeAddress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("l", 64) + "@" + strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + ".example"
	for _, tt := range []struct {
		in, want string
		err      error
	}{
		{"Ada.Lovelace@Example.COM", "ada.lovelace@example.com", nil},
		{" \t\uFEFFada@example.com\u00A0\r\n", "ada@example.com", nil},
		{"", "", owlatsync.ErrAddressEmpty},
		{" \n", "", owlatsync.ErrAddressEmpty},
		{"\u0085ada@example.com", "", owlatsync.ErrAddressForm}, // ECMAScript does not trim NEL
		{"ada @example.com", "", owlatsync.ErrAddressForm},
		{"ada@example", "", owlatsync.ErrAddressForm},
		{"ada@example.c", "", owlatsync.ErrAddressForm},
		{"ada@example.c0m", "", owlatsync.ErrAddressForm},
		{"ada@exam_ple.com", "", owlatsync.ErrAddressForm},
		{"ada@-example.com", "", owlatsync.ErrAddressForm},
		{"ada@@example.com", "", owlatsync.ErrAddressForm},
		{`"ada"@example.com`, "", owlatsync.ErrAddressForm},
		{"ada@[127.0.0.1]", "", owlatsync.ErrAddressForm},
		{"ada\x80@example.com", "", owlatsync.ErrAddressForm},
		{"a\u200Dda@example.com", "", owlatsync.ErrAddressForm}, // a format character
		{"Ünï@Bücher.example", "ünï@bücher.example", nil},
		{"x@пример.испытание", "x@пример.испытание", nil},
		{"İ@example.com", "i\u0307@example.com", nil},
		{"ΟΔΟΣ@example.com", "οδος@example.com", nil},
		{"ΟΔΟΣ.Σ@example.com", "οδοσ.ς@example.com", nil}, // a dot does not end a word
		{long, long, nil},
		{strings.Repeat("l", 20) + long, "", owlatsync.ErrAddressTooLong},
		{strings.Repeat("l", 128) + long, "", owlatsync.ErrAddressForm},
	} {
		got, err := owlatsync.NormalizeAddress(tt.in)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("NormalizeAddress(%q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestWhyAnAddressIsNone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"mailto:ada@example.com":                          owlatsync.ErrAddressMailto,
		"MailTo: ada@example.com":                         owlatsync.ErrAddressMailto,
		"mailto:ada@example.com?subject=Hello":            owlatsync.ErrAddressMailto,
		"Ada Lovelace <ada@example.com>":                  owlatsync.ErrAddressNamed,
		`"Lovelace, Ada" <ada@example.com>`:               owlatsync.ErrAddressNamed,
		"<ada@example.com>":                               owlatsync.ErrAddressNamed,
		"Ada <mailto:ada@example.com>":                    owlatsync.ErrAddressNamed,
		"ada@example.com ::: grace@example.com":           owlatsync.ErrAddressSeveral,
		"ada@example.com:::grace@example.com":             owlatsync.ErrAddressSeveral,
		"ada@example.com; grace@example.com;":             owlatsync.ErrAddressSeveral,
		"ada@example.com,grace@example.com":               owlatsync.ErrAddressSeveral,
		"ada@example.com grace@example.com":               owlatsync.ErrAddressSeveral,
		"ada@example.com\ngrace@example.com":              owlatsync.ErrAddressSeveral,
		"ada@example.com / grace@example.com":             owlatsync.ErrAddressSeveral,
		"Ada <ada@example.com>, Grace <g@example.com>":    owlatsync.ErrAddressSeveral,
		"mailto:ada@example.com;mailto:grace@example.com": owlatsync.ErrAddressSeveral,
		"ada\u200b@example.com":                           owlatsync.ErrAddressInvisible,
		"\u202aada@example.com\u202c":                     owlatsync.ErrAddressInvisible,
		"ada\u00ad@example.com":                           owlatsync.ErrAddressInvisible,
		"ada\u00a0@example.com":                           owlatsync.ErrAddressInvisible,
		"\u0085ada@example.com":                           owlatsync.ErrAddressInvisible,
		"ada@exam\x00ple.com":                             owlatsync.ErrAddressInvisible,
		"ada @example.com":                                owlatsync.ErrAddressBlank,
		"ada@ example.com":                                owlatsync.ErrAddressBlank,
		"ada@example":                                     owlatsync.ErrAddressDot,
		"ada@localhost":                                   owlatsync.ErrAddressDot,
		"ada":                                             owlatsync.ErrAddressForm,
		"@example.com":                                    owlatsync.ErrAddressForm,
		"ada@":                                            owlatsync.ErrAddressForm,
		"ada@example.com;":                                owlatsync.ErrAddressForm,
		"ada@@example.com":                                owlatsync.ErrAddressForm,
		"ada@exam_ple.com":                                owlatsync.ErrAddressForm,
		"<>@":                                             owlatsync.ErrAddressForm,
		">@<":                                             owlatsync.ErrAddressForm,
		"a@\xff; b@\xff":                                  owlatsync.ErrAddressForm,
		strings.Repeat("ada@example.com;", 1000):          owlatsync.ErrAddressForm, // too long to be looked at
	} {
		_, err := owlatsync.NormalizeAddress(in)
		if err != want || !errors.Is(err, owlatsync.ErrAddressForm) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestUTF16LenCountsSurrogatesTwice(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 0, "abc": 3, "ü": 1, "🦉": 2, "a🦉b": 4} {
		if got := owlatsync.UTF16Len(in); got != want {
			t.Errorf("UTF16Len(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestJoinKeyIsUnambiguous(t *testing.T) {
	t.Parallel()
	if got := owlatsync.JoinKey("a/b"); got != "a/b" {
		t.Errorf("a single column is the key itself, got %q", got)
	}
	seen := make(map[string][]string)
	for _, values := range [][]string{{"a", "b"}, {"a/b", ""}, {"a", "/b"}, {"a/", "b"}, {`a\`, "b"}, {`a\/b`, ""}, {"", "a/b"}} {
		key := owlatsync.JoinKey(values...)
		if other, twice := seen[key]; twice {
			t.Errorf("%q and %q give the same key %q", other, values, key)
		}
		seen[key] = values
	}
}

func TestReportBalances(t *testing.T) {
	t.Parallel()
	r := owlatsync.NewReport("users", "1")
	r.Rows = 3
	r.Outcomes[owlatsync.Created] = 2
	r.Outcomes[owlatsync.Invalid] = 1
	r.Outcomes[owlatsync.Removed] = 4
	r.Missing = 4
	if !r.Balanced() {
		t.Error("the outcomes add up to the rows plus the removed, and the report says they do not")
	}
	r.Outcomes[owlatsync.Failed]++
	if r.Balanced() {
		t.Error("one outcome too many, and the report says they add up")
	}
}

// sameAsStepByStep checks what is done at once for most addresses against the rules themselves.
func sameAsStepByStep(t *testing.T, in string) {
	t.Helper()
	trimmed := strings.TrimFunc(in, func(r rune) bool { return owlatsync.Trim(string(r)) == "" })
	var want string
	var wantErr error
	switch {
	case trimmed == "":
		wantErr = owlatsync.ErrAddressEmpty
	case !owlatsync.ValidAddress(trimmed):
		wantErr = owlatsync.ErrAddressForm
	case owlatsync.UTF16Len(trimmed) > owlatsync.MaxAddress:
		wantErr = owlatsync.ErrAddressTooLong
	default:
		want = owlatsync.LowerAddress(trimmed)
	}
	if got, err := owlatsync.NormalizeAddress(in); got != want || !errors.Is(err, wantErr) {
		t.Errorf("NormalizeAddress(%q) = %q, %v; want %q, %v", in, got, err, want, wantErr)
	}
}

func TestNormalizeAddressAgreesWithItsRules(t *testing.T) {
	t.Parallel()
	// Every text of up to three of these, which are of all the kinds that the rules know, in all parts of an address.
	pieces := []string{"a", "Z", "0", "-", ".", "@", "+", "_", " ", "ü"}
	var texts []string
	for begin := []string{""}; len(begin[0]) < 3; {
		var longer []string
		for _, b := range begin {
			for _, p := range pieces {
				longer = append(longer, b+p)
			}
		}
		texts, begin = append(texts, longer...), longer
	}
	for _, text := range texts {
		for _, in := range []string{text, text + "@a.bc", "a@" + text, "a@b." + text, "a@" + text + ".bc", "a@b" + text + "c.de"} {
			sameAsStepByStep(t, in)
		}
	}
	for n := 190; n < 210; n++ {
		sameAsStepByStep(t, strings.Repeat("l", n-len("@example.com"))+"@example.com")
	}
}

func BenchmarkNormalizeAddress(b *testing.B) {
	for name, address := range map[string]string{"plain": "ada.lovelace@example.com", "capitals": "Ada.Lovelace@Example.com", "foreign": "ada@bücher.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := owlatsync.NormalizeAddress(address); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzNormalizeAddress(f *testing.F) {
	for email := range recordedVerdicts(f) {
		f.Add(email)
	}
	f.Add("ΑΣ.İ@ΕΞ.example")
	f.Fuzz(func(t *testing.T, in string) {
		out, err := owlatsync.NormalizeAddress(in)
		sameAsStepByStep(t, in)
		if err != nil {
			if out != "" {
				t.Errorf("an error and %q", out)
			}
			return
		}
		if !utf8.ValidString(out) || out != owlatsync.Trim(out) {
			t.Errorf("%q gives %q", in, out)
		}
		again, err := owlatsync.NormalizeAddress(out)
		// Lower-casing may lengthen an address beyond the limit; the form it keeps.
		if err == nil && again != out || errors.Is(err, owlatsync.ErrAddressEmpty) {
			t.Errorf("%q gives %q, which gives %q, %v", in, out, again, err)
		}
	})
}
