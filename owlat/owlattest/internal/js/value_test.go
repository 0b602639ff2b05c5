package js

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{ // what String(v.a) gives, or "error"
		`{"a":1}`:                        "1",
		`{"a":1,"a":2}`:                  "2",
		`{"A":1}`:                        "undefined",
		`{"a":{"a":1}}`:                  "[object Object]",
		`{"a":[1,null,[2,"x"],{}]}`:      "1,,2,x,[object Object]",
		`{"a":null}`:                     "null",
		`{"a":true}`:                     "true",
		`{"a":-0}`:                       "0",
		`{"a":1e21}`:                     "1e+21",
		`{"a":123456789012345678901}`:    "123456789012345680000",
		`{"a":1e-7}`:                     "1e-7",
		`{"a":0.000001}`:                 "0.000001",
		`{"a":12345678901.0}`:            "12345678901",
		`{"a":1E400}`:                    "Infinity",
		`{"a":-1e400}`:                   "-Infinity",
		`{"a":"\u00e9\ud83e\udd89\/\n"}`: "é🦉/\n",
		"\ufeff{\"a\":1}":                "1",
		" \t\r\n{ \"a\" : 1 } \n":        "1",
		"{\"a\":\"\xff\"}":               "\ufffd",
		`[]`:                             "undefined",
		`"a"`:                            "undefined",
		`{"a":1,}`:                       "error",
		`{"a":01}`:                       "error",
		`{"a":1.}`:                       "error",
		`{"a":.5}`:                       "error",
		`{"a":+1}`:                       "error",
		`{"a":1e}`:                       "error",
		`{"a":NaN}`:                      "error",
		`{"a":"\x"}`:                     "error",
		`{"a":"\u12g4"}`:                 "error",
		"{\"a\":\"\t\"}":                 "error",
		`{"a":"x}`:                       "error",
		`{'a':1}`:                        "error",
		`{"a":1}{"a":1}`:                 "error",
		`{"a":1} x`:                      "error",
		`{"a" 1}`:                        "error",
		`[1 2]`:                          "error",
		`{`:                              "error",
		`[`:                              "error",
		`tru`:                            "error",
		``:                               "error",
		"\u00a0{}":                       "error",
		strings.Repeat("[", 1_000_000):   "error",
		`{"a":"\"\\\b\f\r\t\u0000"}`:     "\"\\\b\f\r\t\x00",
		`{"a":` + strings.Repeat(" ", 9) + `"b"}`: "b",
	} {
		v, err := ParseJSON([]byte(in))
		got := "error"
		if err == nil {
			got = v.Get("a").String()
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", in, got, want)
		}
	}
}

func TestLoneSurrogatesAreNoUTF8(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`"\ud83e"`, `"\udd89"`, `"\udd89\ud83e"`, `"\ud83ex"`, `"\ud83e\u0041"`} {
		v, err := ParseJSON([]byte(in))
		if err != nil || utf8.ValidString(v.Str) {
			t.Errorf("%s: %q, %v", in, v.Str, err)
		}
	}
}

func TestTruthy(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`null`: false, `false`: false, `0`: false, `-0`: false, `1e-999`: false, `""`: false,
		`true`: true, `1`: true, `"0"`: true, `[]`: true, `{}`: true,
	} {
		v, err := ParseJSON([]byte(in))
		if err != nil || v.Truthy() != want {
			t.Errorf("%s: %v %v, want %v", in, v.Truthy(), err, want)
		}
	}
	if (Value{}).Truthy() || (Value{Kind: Number, Num: math.NaN()}).Truthy() {
		t.Error("undefined and NaN are not truthy")
	}
}

func TestAppendTextIsJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a\"b\\c", "\x00\x01\b\f\n\r\t\x1f", "é🦉<>&\u2028", strings.Repeat("x", 300)} {
		var back string
		if err := json.Unmarshal(AppendText(nil, s), &back); err != nil || back != s {
			t.Errorf("%q became %q: %v", s, back, err)
		}
	}
}

// FuzzParseJSON compares with encoding/json, which differs only in that it keeps no lone surrogates.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"x\u00e9\ud83e\udd89",true,null,{}]}`, `[1,]`, `{"a":1,"a":2}`, "\xff", `"\ud800"`, `01`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) || strings.HasPrefix(string(body), "\ufeff") {
			return
		}
		got, err := ParseJSON(body)
		var want any
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		wantErr := decoder.Decode(&want)
		if wantErr == nil {
			_, end := decoder.Token()
			if end == nil || end.Error() != "EOF" {
				wantErr = errNotJSON
			}
		}
		if strings.Count(string(body), "[")+strings.Count(string(body), "{") > maxDepth {
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json says %v", body, err, wantErr)
		}
		if err == nil && !same(got, want) {
			t.Fatalf("%q: %+v, encoding/json says %#v", body, got, want)
		}
	})
}

func same(v Value, want any) bool {
	switch want := want.(type) {
	case nil:
		return v.Kind == Null
	case bool:
		return v.Kind == Boolean && v.Truth == want
	case json.Number:
		f, _ := want.Float64() // out of range is infinite
		return v.Kind == Number && v.Num == f
	case string:
		return v.Kind == Text && (v.Str == want || !utf8.ValidString(v.Str))
	case []any:
		if v.Kind != Array || len(v.List) != len(want) {
			return false
		}
		for i := range want {
			if !same(v.List[i], want[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		if v.Kind != Object {
			return false
		}
		for name, field := range v.Fields {
			other, known := want[name]
			if utf8.ValidString(name) && (!known || !same(field, other)) {
				return false
			}
		}
		return true
	}
	return false
}
