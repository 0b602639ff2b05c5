package wake

import (
	"slices"
	"strings"
	"testing"
)

func TestKeysOf(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string][]string{
		"17": {"17"}, " 17 ": {"17"}, "17,18": {"17", "18"}, "17\n18\r\n\n19": {"17", "18", "19"}, "a b, c": {"a b", "c"}, "ä": {"ä"},
		"[17, 18]": {"17", "18"}, `["17"]`: {"17"}, `"a,b"`: {"a,b"}, `{"key": 5}`: {"5"}, `{"key": ["a/b", 2]}`: {`a\/b/2`}, `{"keys": ["x", 3], "op": "UPDATE"}`: {"x", "3"},
		`[["a", 1], ["b", 2]]`: {"a/1", "b/2"}, "[12345678901234567890]": {"12345678901234567890"}, "-5": {"-5"}, `[-5]`: {"-5"},
		"": nil, " \n": nil, ",": nil, "[]": nil, "{}": nil, "[": nil, `{"id": 5}`: nil, "[1, null]": nil, "[true]": nil, `[""]`: nil, "[1.5]": nil, "[1e3]": nil,
		"[[]]": nil, "[[[1]]]": nil, `[1] [2]`: nil, `{"keys": []}`: nil, `{"keys": 5}`: nil, "\xff": nil, `{"key": {}}`: nil, strings.Repeat("[", 20_000): nil,
	} {
		keys, ok := keysOf(payload)
		if !ok {
			keys = nil
		}
		if !slices.Equal(keys, want) || ok != (want != nil) {
			t.Errorf("%q gives %q (%v), want %q", payload, keys, ok, want)
		}
	}
}

func FuzzKeysOf(f *testing.F) {
	for _, payload := range []string{"1,2", `["a",["b","c"]]`, `{"keys":[1]}`} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		if keys, ok := keysOf(payload); ok && (len(keys) == 0 || slices.Contains(keys, "")) {
			t.Errorf("%q gives %q", payload, keys)
		}
	})
}
