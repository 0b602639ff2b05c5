package owlat_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// The tests here run what docs/emulator.md prints.

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

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
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
