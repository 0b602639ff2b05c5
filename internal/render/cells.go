package render

import "owlatsync/internal/words"

// cellWidth is how many characters of an address, a key or a name a table of feedback or failures shows.
const cellWidth = 48

// cells makes texts fit into columns of a table, so that a long one does not move all lines apart.
type cells struct{ cut bool }

// fit returns a text in at most cellWidth characters: of a longer one the beginning and the end, which tell most of an address. An
// empty text is "-".
func (c *cells) fit(text string) string {
	text = words.OrElse(words.Printable(text), "-")
	runes := []rune(text)
	if len(runes) <= cellWidth {
		return text
	}
	c.cut = true
	const mark = "..."
	tail := (cellWidth - len(mark)) / 2
	return string(runes[:cellWidth-len(mark)-tail]) + mark + string(runes[len(runes)-tail:])
}

// end says below the table where the whole texts are, if any was cut.
func (c *cells) end(to To) {
	if c.cut {
		to.printf("\nLong texts are cut in the middle (\"...\"); --json has them whole.\n")
	}
}
