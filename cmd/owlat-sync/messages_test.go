package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// messages are the texts that the program prints: what tests have seen it print, line by line, docs/faults.md included, and the literals of its source, in which
// a verb stands for anything.
type messages struct {
	printed  string
	literals []string
}

var verb = regexp.MustCompile(`%[-+# 0]*(?:\d+|\*)?(?:\.\d+)?[a-zA-Z]`)

func readMessages(t *testing.T) messages {
	t.Helper()
	var m messages
	var printed strings.Builder
	for _, pattern := range []string{"testdata/badinput/*.txt", "testdata/script/*.txtar", filepath.Join(repository, "docs", "faults.md")} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: found %q, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			printed.Write(text)
		}
	}
	m.printed = printed.String()
	err := fs.WalkDir(os.DirFS(repository), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || name == "tests" || entry.Name() == "testdata" || name == "bin" || name == "dist" || name == "owlat/owlattest"):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			expression, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, ok := literal(expression)
			if ok && len(text) > 5 {
				m.literals = append(m.literals, strings.ReplaceAll(verb.ReplaceAllString(text, "\x00"), "%%", "%"))
			}
			return !ok
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// literal returns a text that stands in the source, also one that is put together of several.
func literal(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, leftOK := literal(e.X)
		right, rightOK := literal(e.Y)
		switch {
		case leftOK && rightOK:
			return left + right, true
		case leftOK:
			return left + "%v", true
		case rightOK:
			return "%v" + right, true
		}
	}
	return "", false
}

// has reports whether the program prints a message, in which … stands for anything within a line. In its source the message is one
// literal, or a part of one.
func (m messages) has(message string) bool {
	if strings.Trim(message, "… ") == "" {
		return false
	}
	var pattern strings.Builder
	for i, part := range strings.Split(message, "…") {
		if i > 0 {
			pattern.WriteString(`[^\n]*`)
		}
		pattern.WriteString(regexp.QuoteMeta(part))
	}
	if regexp.MustCompile(pattern.String()).MatchString(m.printed) {
		return true
	}
	var parts []string // those that are words of the program
	for _, part := range strings.Split(message, "…") {
		if part = strings.Trim(part, ` "()`); part != "" {
			parts = append(parts, regexp.QuoteMeta(part))
		}
	}
	within := regexp.MustCompile(strings.Join(parts, `[^\n]*(?:\x00|…)[^\n]*`))
	for _, text := range m.literals {
		if within.MatchString(text) {
			return true
		}
	}
	return false
}

var troubles = regexp.MustCompile("(?m)^### +(`.*`)$")

// TestTroubleshootingKnowsTheMessages looks for each message of the page among what the program prints.
func TestTroubleshootingKnowsTheMessages(t *testing.T) {
	t.Parallel()
	m := readMessages(t)
	found := 0
	for _, heading := range troubles.FindAllStringSubmatch(readDoc(t, "docs/troubleshooting.md"), -1) {
		for _, span := range codeSpans(heading[1]) {
			found++
			if !m.has(span) {
				t.Errorf("docs/troubleshooting.md explains a message that the program does not have: %s", span)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d messages were found", found)
	}
	for _, none := range []string{"the moon holds the ledger: …", "another … holds the moon", "…"} {
		if m.has(none) {
			t.Errorf("the program is said to print %q", none)
		}
	}
}
