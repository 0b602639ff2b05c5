package checkup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/internal/garbled"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/words"
	"owlatsync/source"
)

// garbledFew is how many rows may be garbled without a warning: a person may have typed them so.
const garbledFew = 3

// encoding tells how a CSV file writes its characters, if it is not UTF-8, and what its source needs to be told to read it.
func (c supply) encoding() {
	s := c.sync
	if s.Target.Kind() != sourcedsn.KindCSV {
		return
	}
	f := Finding{Area: AreaSync, Sync: s.Name, Subject: "encoding", Status: OK, Message: s.Target.Encoding()}
	if f.Message == "" {
		form, err := source.ExamineCSV(c.Opener.File(s.Target), s.Target.CSVOptions()...)
		if err != nil || form.Encoding == "" {
			return // the checks that follow tell what is wrong with the file
		}
		f.Status = Warning
		f.Message = fmt.Sprintf("the file is not UTF-8, it seems to be %s: rows with other letters than those of English cannot be sent\nsay so in the source: add encoding=%s to the options of its dsn", form.Encoding, form.Encoding)
	}
	c.found(f)
}

// garbled counts the rows with lost letters.
func (t *tally) garbled(row *owlatsync.Row) {
	for _, field := range row.Fields {
		if cause := garbled.CauseOf(field.Value); cause != "" {
			t.lost[cause]++
			return
		}
	}
}

// lettered warns if the names in several rows have lost their letters, and says why.
func (c supply) lettered(t *tally) {
	s := c.sync
	rows := 0
	for _, n := range t.lost {
		rows += n
	}
	if rows <= garbledFew {
		return
	}
	cause := slices.MaxFunc(slices.Sorted(maps.Keys(t.lost)), func(a, b garbled.Cause) int { return cmp.Compare(t.lost[a], t.lost[b]) })
	remedy := "the program that wrote the source did that: export it again as UTF-8"
	if encoding := s.Target.Encoding(); encoding != "" && cause != garbled.Replaced {
		remedy = fmt.Sprintf("take encoding=%s out of its dsn if the file is UTF-8", encoding)
	}
	c.found(Finding{
		Area: AreaSync, Sync: s.Name, Subject: "letters", Status: Warning,
		Message: fmt.Sprintf("the names in %s have lost their letters: %s\n%s", words.Plural(rows, "row"), cause, remedy),
	})
}
