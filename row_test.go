package owlatsync_test

import (
	"encoding/json"
	"testing"

	"owlatsync"
)

func TestPositionIsItsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		position owlatsync.Position
		text     string
	}{
		{owlatsync.Position{}, ""},
		{owlatsync.Position{Unit: "row", Number: 17}, "row 17"},
		{owlatsync.Position{Unit: "sheet 2, line", Number: 3}, "sheet 2, line 3"},
	} {
		if got := c.position.String(); got != c.text {
			t.Errorf("%+v is %q, want %q", c.position, got, c.text)
		}
		b, err := json.Marshal(c.position)
		if err != nil {
			t.Fatal(err)
		}
		var back owlatsync.Position
		if err := json.Unmarshal(b, &back); err != nil || back != c.position {
			t.Errorf("%s becomes %+v: %v", b, back, err)
		}
	}
	for _, text := range []string{`"17"`, `"row"`, `"row x"`, `"row 1 "`} {
		if err := json.Unmarshal([]byte(text), new(owlatsync.Position)); err == nil {
			t.Errorf("%s is taken for a position", text)
		}
	}
}
