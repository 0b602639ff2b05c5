package owlat_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// The functions here are printed in the documents: TestPrintedCodeCompiles finds their lines.

func subscribeAda(ctx context.Context, topicID string) error {
	client, err := owlat.NewClient("https://example.convex.site", os.Getenv("OWLAT_API_KEY"))
	if err != nil {
		return err
	}
	ada, err := client.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: "ada@example.com", FirstName: new("Ada")})
	if err != nil {
		return err
	}
	_, err = client.Topics.Add(ctx, topicID, owlat.AddMemberRequest{ContactID: ada.ID})
	return err
}

func signUp(ctx context.Context, client *owlat.Client, topic, email string) error {
	if _, err := client.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: email}); err != nil {
		return err
	}
	_, err := client.Topics.Add(ctx, topic, owlat.AddMemberRequest{Email: email})
	return err
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client, server := owlattest.Start(t)
	news := server.AddTopic("News", false) // true: with double opt-in

	// Here stands the code under test.
	if err := signUp(ctx, client, news, "ada@example.com"); err != nil {
		t.Fatal(err)
	}

	ada, ok := server.Contact("ada@example.com") // what the API hides: Topics, Unsubscribed, DOIStatus
	if !ok || !slices.Contains(ada.Topics, news) {
		t.Errorf("she is not on the topic: %+v", ada)
	}
}

func TestKeyWithOneScope(t *testing.T) {
	t.Parallel()
	var server owlattest.Server
	key := server.AddKey("contacts:read") // none named: all scopes
	client, err := owlat.NewClient("http://owlat.example", key, owlat.WithTransport(server.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
		t.Error(err)
	}
	if err := client.Contacts.Delete(t.Context(), "ada@example.com"); err == nil {
		t.Error("a key that may only read deleted")
	}
}

func TestPrintedFunctionRefusesWithoutAKey(t *testing.T) {
	t.Setenv("OWLAT_API_KEY", "")
	if err := subscribeAda(t.Context(), "k570000000"); err == nil {
		t.Error("it went on without a key")
	}
}

// TestPrintedCodeCompiles looks for the Go code of the documents that uses the SDK or the emulator in files that are compiled.
func TestPrintedCodeCompiles(t *testing.T) {
	t.Parallel()
	compiled := ""
	for _, pattern := range []string{"*_test.go", "owlattest/*_test.go", "../examples/*/*.go"} {
		for _, file := range glob(t, pattern) {
			compiled += plain(read(t, file)) + "\n"
		}
	}
	found := 0
	for _, document := range append(glob(t, "../docs/*.md"), "../README.md") {
		text := read(t, document)
		for {
			_, after, more := strings.Cut(text, "```go\n")
			if !more {
				break
			}
			var block string
			block, text, _ = strings.Cut(after, "```")
			if !strings.Contains(block, "owlat.") && !strings.Contains(block, "owlattest.") {
				continue
			}
			if found++; !strings.Contains(compiled, plain(block)) {
				t.Errorf("%s prints code that no file has which is compiled:\n%s", document, block)
			}
		}
	}
	if found < 3 {
		t.Errorf("found only %d pieces of code", found)
	}
}

// plain is the text without what only places it on the page.
func plain(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExamplesStandAlone checks that what documentation prints of an example, its body, needs nothing else of its file.
func TestExamplesStandAlone(t *testing.T) {
	t.Parallel()
	examples := 0
	for _, pattern := range []string{"*_test.go", "owlattest/*_test.go"} {
		declared := map[string]bool{}
		var files []*ast.File
		for _, name := range glob(t, pattern) {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil {
						declared[d.Name.Name] = true
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						switch spec := spec.(type) {
						case *ast.TypeSpec:
							declared[spec.Name.Name] = true
						case *ast.ValueSpec:
							for _, name := range spec.Names {
								declared[name.Name] = true
							}
						}
					}
				}
			}
		}
		for _, file := range files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(f.Name.Name, "Example") {
					continue
				}
				examples++
				for name := range foreign(f.Body) {
					if declared[name] {
						t.Errorf("%s needs %s, which is not printed with it", f.Name.Name, name)
					}
				}
			}
		}
	}
	if examples < 15 {
		t.Errorf("found only %d examples", examples)
	}
}

// foreign yields the names in a body that it does not declare itself.
func foreign(body *ast.BlockStmt) map[string]bool {
	names, own := map[string]bool{}, map[string]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr: // of a package or a value: only what stands before the dot
			ast.Inspect(n.X, func(x ast.Node) bool {
				if id, ok := x.(*ast.Ident); ok {
					names[id.Name] = true
				}
				return true
			})
			return false
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok {
				own[id.Name] = true
			}
		case *ast.Field:
			for _, id := range n.Names {
				own[id.Name] = true
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				own[id.Name] = true
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					own[id.Name] = true
				}
			}
		case *ast.RangeStmt:
			for _, left := range []ast.Expr{n.Key, n.Value} {
				if id, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					own[id.Name] = true
				}
			}
		case *ast.Ident:
			names[n.Name] = true
		}
		return true
	})
	for name := range own {
		delete(names, name)
	}
	return names
}
