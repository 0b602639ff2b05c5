package cell

import (
	"math"
	"strconv"
	"testing"
)

func TestAppendMoment(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"2026-11-03 05:06:07":              "2026-11-03T05:06:07Z",
		"2026-11-03 05:06:07.000000":       "2026-11-03T05:06:07Z",
		"2026-11-03 05:06:07.120000":       "2026-11-03T05:06:07.12Z",
		"2026-11-03 05:06:07+00":           "2026-11-03T05:06:07Z",
		"2026-11-03T05:06:07Z":             "2026-11-03T05:06:07Z",
		"2026-11-03T05:06:07.5+00:00":      "2026-11-03T05:06:07.5Z",
		"2026-11-03 05:06:07.25+02":        "2026-11-03T03:06:07.25Z",
		"2026-11-03 05:06:07-03:30":        "2026-11-03T08:36:07Z",
		"2026-11-03T05:06:07+0530":         "2026-11-02T23:36:07Z",
		"1890-01-01 00:00:00+00:19:32":     "1889-12-31T23:40:28Z",
		"2026-11-03 05:06:07 BC":           "2026-11-03 05:06:07 BC",
		"2026-11-03 05:06:07.x":            "2026-11-03 05:06:07.x",
		"2026-11-03 05:06:07+x":            "2026-11-03 05:06:07+x",
		"2026-11-03":                       "2026-11-03",
		"infinity":                         "infinity",
		"":                                 "",
		"12026-11-03 05:06:07":             "12026-11-03 05:06:07",
		"2026-11-03 05:06:07 Europe/Paris": "2026-11-03 05:06:07 Europe/Paris",
	} {
		if got := string(AppendMoment(nil, []byte(raw))); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", 1: "1", -2.5: "-2.5", 1e6: "1000000", 123456789012: "123456789012", 1e21: "1e+21", 1e-7: "1e-07", 0.000001: "0.000001", 0.1: "0.1",
	} {
		if got := string(AppendFloat(nil, f, 64)); got != want {
			t.Errorf("%g: %q, want %q", f, got, want)
		}
	}
	if got := string(AppendFloat(nil, float64(float32(0.1)), 32)); got != "0.1" {
		t.Errorf("0.1 of 32 bits is %q", got)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // how it is written; nothing: it is none
		"0": "0", "-0": "0", "+0.000": "0", "0e5": "0", "1": "1", "+1": "1", "-1.50": "-1.5", "007": "7", ".5": "0.5", "5.": "5", "100": "100", "1e3": "1000", "1E+3": "1000",
		"1.5e-3": "0.0015", "0.000001": "0.000001", "0.0000001": "1e-07", "100000000000000000000": "100000000000000000000", "1e21": "1e+21", "123e20": "1.23e+22",
		"-12345678901234567890.123": "-12345678901234567890.123", "1e100": "1e+100",
		"": "", "-": "", ".": "", "e5": "", "1e": "", "1e+": "", "NaN": "", "Infinity": "", "1.2.3": "", "0x10": "", "1_000": "", " 1": "", "1e99999999999999999999": "", "--1": "",
	} {
		d, ok := ParseDecimal([]byte(text))
		if ok != (want != "") || ok && string(d.Append(nil)) != want {
			t.Errorf("%q: %q, %v, want %q", text, d.Append(nil), ok, want)
		}
	}
	for text, want := range map[string]bool{
		"0": true, "0.1": true, "123456789012345": true, "9007199254740992": true, "9007199254740993": false, "0.30000000000000004": true, "0.30000000000000001": false,
		"1e-400": false, "5e-324": true, "5.1e-324": false, "1.7976931348623157e308": true, "1.79769313486231571e308": false, "12345678901234567890": false, "12345678901234567000": true,
	} {
		f, err := strconv.ParseFloat(text, 64)
		if d, ok := ParseDecimal([]byte(text)); !ok || err != nil || d.exact(f) != want {
			t.Errorf("%s: exact %v, %v", text, d.exact(f), err)
		}
	}
}

// FuzzDecimal checks that what a double is printed as is exact, and is printed alike by both ways.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []float64{0, 1, -2.5, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740993} {
		f.Add(seed, int64(seed))
	}
	f.Fuzz(func(t *testing.T, x float64, n int64) {
		if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 {
			t.Skip()
		}
		want := string(AppendFloat(nil, x, 64))
		for _, form := range []byte("fe") {
			text := strconv.AppendFloat(nil, x, form, -1, 64)
			if d, ok := ParseDecimal(text); !ok || !d.exact(math.Abs(x)) || string(d.Append(nil)) != want {
				t.Errorf("%s: %v, %v, %s; want %s", text, ok, d.exact(math.Abs(x)), d.Append(nil), want)
			}
		}
		if d, ok := ParseDecimal(strconv.AppendInt(nil, n, 10)); !ok || n != 0 && n != math.MinInt64 && d.exact(math.Abs(float64(n))) != (strconv.FormatFloat(float64(n), 'f', -1, 64) == strconv.FormatInt(n, 10)) {
			t.Errorf("%d: exact %v", n, d.exact(math.Abs(float64(n))))
		}
	})
}
