package statement

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrNotWriting is the error for a statement that is none of those that a write-back runs.
var ErrNotWriting = errors.New("a write-back needs one statement that begins with UPDATE, INSERT, DELETE, CALL or WITH")

// writing are the words that a statement may begin with, and what a WITH may end in.
var writing = []string{"UPDATE", "INSERT", "DELETE"}

// Bound is a statement with its named parameters in the form that its driver takes.
type Bound struct {
	SQL string
	// Params has the name of each placeholder, in their order. A name that the statement has twice is there twice, so that each place
	// has a type of its own.
	Params []string
	// Counts says that the number of rows which the database reports is that of the rows which the statement found.
	Counts bool
}

// Has reports whether the statement has one of the parameters.
func (b Bound) Has(names ...string) bool {
	return slices.ContainsFunc(b.Params, func(p string) bool { return slices.Contains(names, p) })
}

// Bind reads one statement that writes. It may have the named parameters, such as :email, outside of strings, comments, quoted names and
// casts, and no others. The errors hold nothing of the text but words of SQL and the names of parameters.
func Bind(text string, l Lexicon, names []string) (Bound, error) {
	b := binder{scanner: scanner{text: text, Lexicon: l}, names: names}
	if err := b.read(); err != nil {
		return Bound{}, err
	}
	b.sql.WriteString(text[b.copied:max(b.copied, b.end)])
	return Bound{SQL: strings.TrimSpace(b.sql.String()), Params: b.params, Counts: slices.Contains(writing, b.first)}, nil
}

// binder reads a statement and puts placeholders in the place of its parameters.
type binder struct {
	scanner
	names  []string
	params []string
	sql    strings.Builder
	copied int      // up to where the text is in sql
	clause          // the statement itself
	outer  []clause // around the parentheses that are open
}

// clause is a statement, or what stands in parentheses, without the parentheses in it.
type clause struct {
	first string // the word that it begins with
	verb  string // what it does: of a WITH the word behind its parts
	where bool   // it has a WHERE
}

// check refuses a clause that would change every row.
func (c clause) check() error {
	if (c.verb == "UPDATE" || c.verb == "DELETE") && !c.where {
		return fmt.Errorf("it has no WHERE, so that it would %s every row; name the person's row, as in WHERE lower(email) = :email", strings.ToLower(c.verb))
	}
	return nil
}

func (b *binder) read() error {
	ended := false
	for token := b.next(); token != ""; token = b.next() {
		switch {
		case token == ";":
			if b.first == "" {
				b.copied = b.at
			}
			ended = b.first != ""
			continue
		case ended:
			return fmt.Errorf("it has several statements: %w", ErrNotWriting)
		}
		if err := b.token(token); err != nil {
			return err
		}
		b.end = b.at
	}
	for len(b.outer) > 0 { // parentheses that nothing closes
		if err := b.close(); err != nil {
			return err
		}
	}
	switch {
	case b.first == "":
		return fmt.Errorf("it is empty: %w", ErrNotWriting)
	case b.verb == "":
		return fmt.Errorf("its WITH leads to none of UPDATE, INSERT and DELETE: %w", ErrNotWriting)
	}
	return b.check()
}

// close ends the innermost parentheses.
func (b *binder) close() error {
	if err := b.check(); err != nil {
		return err
	}
	if last := len(b.outer) - 1; last >= 0 {
		b.clause, b.outer = b.outer[last], b.outer[:last]
	}
	return nil
}

func (b *binder) token(token string) error {
	word := strings.ToUpper(token)
	switch {
	case b.first == "" && len(b.outer) == 0:
		b.first = word
		switch {
		case slices.Contains(writing, word), word == "CALL":
			b.verb = word
		case word != "WITH":
			return fmt.Errorf("it begins with %s: %w", firstWord(word), ErrNotWriting)
		}
	case token == "(":
		if b.first == "" { // it is no word, and so parentheses within parentheses are no statement
			b.first = token
		}
		b.outer = append(b.outer, b.clause)
		b.clause = clause{}
	case token == ")":
		return b.close()
	case token == ":":
		return b.parameter()
	case b.isPlaceholder(token):
		return errors.New("it has the placeholder of a driver; write named parameters: " + b.known())
	case b.first == "":
		b.first = word
		if slices.Contains(writing, word) || slices.Contains(leading, word) {
			b.verb = word
		}
		return b.mergeless()
	case word == "WHERE":
		b.where = true
	case b.first == "WITH" && b.verb == "" && slices.Contains(writing, word):
		b.verb = word
	case b.first == "WITH" && b.verb == "" && slices.Contains(leading, word):
		if b.verb = word; len(b.outer) == 0 {
			return fmt.Errorf("its WITH leads to %s: %w", word, ErrNotWriting)
		}
		return b.mergeless()
	}
	return nil
}

// leading are the words that a WITH may lead to although they are none of those that write one table.
var leading = []string{"SELECT", "VALUES", "TABLE", "MERGE"}

// mergeless refuses a MERGE in parentheses, which may change every row without a WHERE.
func (b *binder) mergeless() error {
	if b.verb == "MERGE" {
		return fmt.Errorf("a part of it is MERGE: %w", ErrNotWriting)
	}
	return nil
}

// isPlaceholder reports whether the token is, or begins, a parameter in the form of a driver.
func (b *binder) isPlaceholder(token string) bool {
	switch {
	case b.Dollar: // in PostgreSQL "?" and "@" are operators
		return len(token) > 1 && token[0] == '$' && strings.Trim(token[1:], "0123456789") == ""
	case b.Backslash: // in MySQL "@" begins a variable
		return token == "?"
	}
	return token == "?" || token == "@" || token[0] == '$'
}

// parameter reads what follows a colon.
func (b *binder) parameter() error {
	rest := b.text[b.at:]
	if strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "=") { // a cast, or an assignment
		b.at++
		return nil
	}
	n := 0
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	name := rest[:n]
	switch {
	case n == 0, b.Dollar && rest[0] >= '0' && rest[0] <= '9': // the bounds of a slice, as in tags[1:2]
		return nil
	case !slices.Contains(b.names, name):
		return fmt.Errorf("there is no parameter :%s; there are %s", shortened(name), b.known())
	}
	b.sql.WriteString(b.text[b.copied : b.at-1])
	b.params = append(b.params, name)
	if b.Dollar {
		b.sql.WriteString("$" + strconv.Itoa(len(b.params)))
	} else {
		b.sql.WriteByte('?')
	}
	b.at += n
	b.copied = b.at
	return nil
}

func (b *binder) known() string { return ":" + strings.Join(b.names, ", :") }

// shortened keeps what may be no name from filling an error.
func shortened(name string) string {
	if len(name) > 40 {
		return name[:40] + "…"
	}
	return name
}
