package text

import (
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// guessedBytes is how much of a file tells its encoding: enough that a name with an accent is among the rows.
const guessedBytes = 16 << 20

// Guess returns the encoding with which a file must be opened: UTF-8 if a byte order mark tells. Of the encodings that have a
// character for nearly each byte, it is the one in which the words look like words.
func Guess(file io.Reader) (Encoding, error) {
	raw, err := unpack(file)
	if err != nil {
		return Encoding{}, err
	}
	head, _ := raw.Peek(bufferSize) // an error comes again with the next read
	if _, size := markOf(head); size > 0 {
		return Encoding{}, nil
	}
	if name := wideWithoutMark(head); name != "" {
		return Lookup(name)
	}
	if foreign(head, CSV) != "" {
		return Encoding{}, nil
	}
	count := make(map[[3]byte]int)
	if err := highBytes(io.LimitReader(raw, guessedBytes), count); err != nil || len(count) == 0 {
		return Encoding{}, nil // a read that fails does so again in the scan, which can say where
	}
	best, most := "", 0
	for _, c := range []struct {
		name string
		page *charmap.Charmap
	}{{Windows1252, charmap.Windows1252}, {Latin9, charmap.ISO8859_15}, {Macintosh, charmap.Macintosh}, {DOS, charmap.CodePage850}} {
		if n := likeness(count, c.page); best == "" || n > most {
			best, most = c.name, n
		}
	}
	return Lookup(best)
}

// highBytes counts the bytes beyond ASCII with their neighbours, as far as they are no UTF-8.
func highBytes(in io.Reader, count map[[3]byte]int) error {
	piece := make([]byte, bufferSize)
	kept := 0
	for {
		n, err := io.ReadFull(in, piece[kept:])
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !ended {
			return err
		}
		b := piece[:kept+n]
		at := 0
		for at < len(b) {
			if at += asciiPrefix(b[at:]); at == len(b) || !ended && len(b)-at < utf8.UTFMax {
				break
			}
			_, size := utf8.DecodeRune(b[at:])
			if size == 1 {
				around := [3]byte{' ', b[at], ' '}
				if at > 0 {
					around[0] = b[at-1]
				}
				if at+1 < len(b) {
					around[2] = b[at+1]
				}
				count[around]++
			}
			at += size
		}
		if ended {
			return nil
		}
		kept = copy(piece, b[min(at, len(b)):])
	}
}

// usual are the letters beyond ASCII that names and words have most.
const usual = "äöüßéèêëáàâíóñçãõåæøœìòùúôîïÄÖÜÉÈÁÇÅØÑ’–€š"

// likeness says how much the bytes look like letters of words in an encoding.
func likeness(count map[[3]byte]int, page *charmap.Charmap) (score int) {
	common := map[rune]bool{}
	for _, r := range usual {
		common[r] = true
	}
	for around, n := range count {
		score += min(n, 1000) * fit(around[0], page.DecodeByte(around[1]), around[2], common)
	}
	return score
}

// fit says how well a character stands between its neighbours.
func fit(before byte, r rune, after byte, common map[rune]bool) int {
	inside := isLetter(before) && isLetter(after)
	switch {
	case r == utf8.RuneError || unicode.IsControl(r):
		return -8
	case !unicode.IsLetter(r) && common[r]:
		return 2
	case !unicode.IsLetter(r) && inside:
		return -3
	case !unicode.IsLetter(r):
		return -1
	case unicode.IsUpper(r) && (isSmall(before) || isLetter(before) && isSmall(after)):
		return -4 // no word has a capital inside
	case unicode.IsLower(r) && isCapital(before) && isCapital(after):
		return -4
	case unicode.IsLower(r) && !isLetter(before) && isSmall(after):
		return 1 // names begin with a capital
	case common[r]:
		return 3
	}
	return 1
}

func isLetter(b byte) bool  { return isSmall(b) || isCapital(b) }
func isSmall(b byte) bool   { return b >= 'a' && b <= 'z' }
func isCapital(b byte) bool { return b >= 'A' && b <= 'Z' }
