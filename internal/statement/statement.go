// Package statement checks the text of a query without a database: whether it is one statement that begins as a query does, and
// where it ends.
package statement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotQuery is the error for a statement that is no query.
var ErrNotQuery = errors.New("a source needs one statement that returns rows and changes nothing, such as SELECT")

// Lexicon is what the check must know about a dialect. The check is a first line of defence with good messages; the read-only
// transaction keeps the data safe.
type Lexicon struct {
	Backslash bool     // "\" escapes inside strings
	Hash      bool     // "#" begins a comment
	OpenDash  bool     // "--" begins a comment only before white space
	Executed  bool     // the content of /*! … */ is executed
	Brackets  bool     // [name] is a quoted name
	Dollar    bool     // $tag$ … $tag$ is a string, and E'…' one with escapes
	Nested    bool     // comments may be nested
	First     []string // words that a query may begin with
	Refused   []string // words that make a query write
}

// The lexicons of the dialects. PostgreSQL's only tells where a statement ends: the server tells whether it is a query.
var (
	Generic = Lexicon{
		Brackets: true,
		First:    []string{"SELECT", "WITH", "VALUES", "TABLE", "FROM"},
	}
	Postgres = Lexicon{Dollar: true, Nested: true}
	MySQL    = Lexicon{
		Backslash: true, Hash: true, OpenDash: true, Executed: true,
		First: []string{"SELECT", "WITH", "VALUES", "TABLE", "SHOW"},
		// SELECT … INTO OUTFILE writes even in a read-only transaction.
		Refused: []string{"INTO"},
	}
	SQLite = Lexicon{
		Brackets: true,
		First:    []string{"SELECT", "WITH", "VALUES"},
	}
)

// Check says why the text is not one statement that begins as a query does, or returns nothing if it is.
func Check(query string, l Lexicon) (why string) {
	s := scanner{text: query, Lexicon: l}
	begun, ended := false, false
	for {
		token := s.next()
		word := strings.ToUpper(token)
		switch {
		case token == "" && !begun:
			return "the query is empty"
		case token == "":
			return ""
		case token == ";":
			ended = ended || begun
		case ended:
			return "the query has several statements"
		case !begun && token == "(":
		case !begun && !slices.Contains(l.First, word):
			return "the query begins with " + firstWord(word)
		case slices.Contains(l.Refused, word):
			return fmt.Sprintf("the query has the word %s, with which it would write", word)
		default:
			begun = true
		}
	}
}

// Bare returns the statement alone, without semicolons before it and without semicolons and comments after it, so that it can be
// put inside another.
func Bare(query string, l Lexicon) string {
	s := scanner{text: query, Lexicon: l}
	start := 0
	for token := s.next(); token != ""; token = s.next() {
		switch {
		case token != ";":
			s.end = s.at
		case s.end == 0:
			start = s.at
		}
	}
	return strings.TrimSpace(query[start:max(start, s.end)])
}

// firstWord returns the first word of a refused statement, if it is a word of SQL and not perhaps a value.
// reserved are words of SQL that databases refuse, or take for something else, as names of tables without quotes.
var reserved = []string{
	"CHECK", "CONDITION", "CURRENT_USER", "DEFAULT", "DESC", "END", "GROUP", "GROUPS", "INDEX", "KEY", "KEYS", "OPTION", "ORDER", "RANK", "REFERENCES", "SESSION_USER",
	"SYSTEM", "TABLE", "TRANSACTION", "USER",
}

// Unquoted says what to do about a word of SQL that stands without quotes where a query names a table, or nothing.
func Unquoted(query string, l Lexicon) string {
	word := reservedTable(query, l)
	if word == "" {
		return ""
	}
	quote := `"`
	if l.Backslash {
		quote = "`"
	}
	return fmt.Sprintf("%s is a word of SQL: as the name of a table it stands in quotes, %s%s%s", word, quote, word, quote)
}

func reservedTable(query string, l Lexicon) string {
	s := scanner{text: query, Lexicon: l}
	before, last := "", ""
	for token := s.next(); token != ""; token = s.next() {
		word := strings.ToUpper(token)
		if (last == "FROM" && before != "DISTINCT" || last == "JOIN") && slices.Contains(reserved, word) {
			return token
		}
		before, last = last, word
	}
	return ""
}

func firstWord(word string) string {
	if len(word) <= 12 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return word
	}
	return "no word of SQL"
}

// scanner splits a statement into words and single characters. A quoted string or name is only its quote.
type scanner struct {
	Lexicon
	text   string
	at     int
	opened int // where the content of the last executed comment begins
	end    int // where the part that Bare keeps ends
}

// next returns the next token, or nothing at the end.
func (s *scanner) next() string {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "--") && (!s.OpenDash || len(rest) == 2 || rest[2] <= ' '), c == '#' && s.Hash:
			s.skipPast("\n", 1)
		case s.Executed && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")):
			s.at += strings.IndexByte(rest, '!') + 1
			s.at += len(s.text[s.at:]) - len(strings.TrimLeft(s.text[s.at:], "0123456789"))
			s.opened = s.at
		case s.Executed && strings.HasPrefix(rest, "*/"):
			s.at += 2
			if s.opened < s.end {
				s.end = s.at
			}
		case strings.HasPrefix(rest, "/*"):
			s.skipComment()
		case isBlank(c):
			s.at++
		case c == '\'' || c == '"' || c == '`' && !s.Dollar:
			s.skipQuoted(c, s.Backslash && c != '`' || s.Dollar && s.escapes())
			return string(c)
		case c == '$' && s.Dollar && s.skipDollar():
			return "$"
		case c == '[' && s.Brackets:
			s.skipPast("]", 1)
			return "["
		case isWordByte(c):
			n := 1
			for n < len(rest) && isWordByte(rest[n]) {
				n++
			}
			s.at += n
			return rest[:n]
		default:
			s.at++
			return rest[:1]
		}
	}
	return ""
}

// skipPast moves behind the next end, looked for after the first n bytes, or to the end of the text.
func (s *scanner) skipPast(end string, n int) {
	if i := strings.Index(s.text[s.at+n:], end); i >= 0 {
		s.at += n + i + len(end)
		return
	}
	s.at = len(s.text)
}

func (s *scanner) skipComment() {
	for depth, n := 1, 2; ; n = 2 {
		end := strings.Index(s.text[s.at+n:], "*/")
		if end < 0 {
			s.at = len(s.text)
			return
		}
		if inner := strings.Index(s.text[s.at+n:], "/*"); s.Nested && inner >= 0 && inner < end {
			s.at += n + inner
			depth++
			continue
		}
		// The two bytes that end a comment do not begin another.
		if s.at += n + end; depth == 1 {
			s.at += len("*/")
			return
		}
		depth--
	}
}

// escapes reports whether the quote that comes next follows the E of a string with escapes.
func (s *scanner) escapes() bool {
	before := s.text[:s.at]
	n := len(before)
	return s.text[s.at] == '\'' && n > 0 && (before[n-1] == 'E' || before[n-1] == 'e') && (n == 1 || !isWordByte(before[n-2]))
}

// skipDollar moves behind a string in dollar quotes and reports whether there is one.
func (s *scanner) skipDollar() bool {
	rest := s.text[s.at:]
	n := 1
	for n < len(rest) && rest[n] != '$' && isWordByte(rest[n]) {
		n++
	}
	if n == len(rest) || rest[n] != '$' || n > 1 && rest[1] >= '0' && rest[1] <= '9' {
		return false
	}
	s.skipPast(rest[:n+1], n+1)
	return true
}

func (s *scanner) skipQuoted(quote byte, backslash bool) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			if backslash {
				s.at++
			}
		case quote:
			// A doubled quote is a quote inside the text. Reading it as two texts side by side gives the same result.
			s.at++
			return
		}
	}
	s.at = min(s.at, len(s.text))
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
