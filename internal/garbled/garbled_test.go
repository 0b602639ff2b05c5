package garbled_test

import (
	"testing"

	"golang.org/x/text/encoding/charmap"

	"owlatsync/internal/garbled"
)

func TestCauseOf(t *testing.T) {
	t.Parallel()
	names := []string{"Jürgen", "Zoë", "Ægir", "Łukasz", "Ελένη", "Иван", "O’Neil", "Nguyễn", "山田", "Ÿ", "José Ñandú"}
	for _, name := range names {
		if cause := garbled.CauseOf(name); cause != "" {
			t.Errorf("%s is taken for garbled: %s", name, cause)
		}
		mac, err := charmap.Macintosh.NewDecoder().String(name)
		if err != nil || garbled.CauseOf(mac) != garbled.AsMacintosh {
			t.Errorf("%s of %s: %q", mac, name, garbled.CauseOf(mac))
		}
	}
	for text, want := range map[string]garbled.Cause{
		"JÃ¼rgen": garbled.AsWindows1252, "ZoÃ«": garbled.AsWindows1252, "Oâ€™Neil": garbled.AsWindows1252, "Ã\u0081vila": garbled.AsWindows1252, "Å\u0081ukasz": garbled.AsWindows1252,
		"J√ºrgen": garbled.AsMacintosh, "J\ufffdrgen": garbled.Replaced,
		"": "", "Ada": "", "naïve café": "", "Ã": "", "Â": "", "100 €": "", "São Tomé": "", "ÜÖÄ": "", "√2": "",
	} {
		if got := garbled.CauseOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
