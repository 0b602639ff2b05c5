package preference

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestListsRemoved(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		`3`: 3, `0`: 0, `"3"`: 3, `[]`: 0, `["a","b"]`: 2, `[{"topicId":"a"},{"topicId":"b"}]`: 2, `"[{\"topicId\":\"a\"}]"`: 1,
		`null`: 0, `true`: 0, `{}`: 0, `""`: 0, `"many"`: 0, `-1`: 0, `1e99`: 1 << 30, `2.0`: 2,
	} {
		var o Outcome[OptOut]
		if err := json.Unmarshal([]byte(`{"ok":true,"data":{"message":"m","listsRemoved":`+raw+`}}`), &o); err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got, reason, err := o.Read(); err != nil || reason != "" || int(got.ListsRemoved) != want || got.Message != "m" {
			t.Errorf("%s: %+v %q %v, want %d", raw, got, reason, err, want)
		}
	}
}

func FuzzStraight(f *testing.F) {
	for _, s := range []string{"expired", "a\nb\x1b[31m", "for ada@example.com", strings.Repeat("é", 100), "\xff", "k570000000000:1767323045678:abc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Straight(s)
		if utf8.RuneCountInString(got) > maxReason || strings.Contains(got, "@") {
			t.Errorf("%q", got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q holds %U", got, r)
			}
		}
	})
}
