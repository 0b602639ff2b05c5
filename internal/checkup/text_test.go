package checkup_test

import (
	"strings"
	"testing"

	"owlatsync/internal/checkup"
	"owlatsync/owlat/owlattest"
)

// TestLetters tells what became of the letters of a file.
func TestLetters(t *testing.T) {
	t.Parallel()
	rows := func(names ...string) string {
		text := "id,email,first\n"
		for i, name := range names {
			text += string(rune('a'+i)) + "," + string(rune('a'+i)) + "@example.com," + name + "\n"
		}
		return text
	}
	for name, test := range map[string]struct {
		options, rows string
		subject       string
		status        checkup.Status
		want          []string
	}{
		"in order":          {"", rows("Ada", "Zoë"), "", "", nil},
		"no UTF-8":          {"", rows("Ada", "J\xfcrgen", "Zo\xeb"), "encoding", checkup.Warning, []string{"seems to be windows-1252", "add encoding=windows-1252"}},
		"said":              {"?encoding=windows-1252", rows("Ada", "J\xfcrgen"), "encoding", checkup.OK, []string{"windows-1252"}},
		"read wrong":        {"", rows("JÃ¼rgen", "ZoÃ«", "JosÃ©", "AndrÃ©"), "letters", checkup.Warning, []string{"the names in 4 rows", "UTF-8 was read as windows-1252", "export it again as UTF-8"}},
		"a few are no sign": {"", rows("JÃ¼rgen", "ZoÃ«", "JosÃ©", "André"), "", "", nil},
		"said wrong":        {"?encoding=windows-1252", rows("Jürgen", "Zoë", "José", "André"), "letters", checkup.Warning, []string{"take encoding=windows-1252 out"}},
		"lost":              {"", rows("J\ufffdrgen", "Zo\ufffd", "Jos\ufffd", "Andr\ufffd"), "letters", checkup.Warning, []string{"letters were lost to an encoding"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &owlattest.Server{NoLimit: true}
			report, _ := checkSource(t, server, "csv:users.csv"+test.options, "email: email, firstName: first", server.AddTopic("news", false), test.rows)
			found := false
			for _, f := range report.Checks {
				if f.Subject != "encoding" && f.Subject != "letters" || f.Subject == "encoding" && test.subject == "letters" {
					continue
				}
				found = true
				if f.Subject != test.subject || f.Status != test.status {
					t.Errorf("%s is %s: %s; want %s %s", f.Subject, f.Status, f.Message, test.subject, test.status)
				}
				for _, want := range test.want {
					if !strings.Contains(f.Message, want) {
						t.Errorf("the finding does not say %q: %s", want, f.Message)
					}
				}
			}
			if found != (test.subject != "") {
				t.Errorf("found %v, want %q", report.Checks, test.subject)
			}
		})
	}
}
