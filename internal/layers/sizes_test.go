package layers

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// maxPackage is how many lines a package may have without its tests, and maxType a type together with its methods.
	maxPackage = 3000
	maxType    = 250
)

// mayBeLarge names packages, as the table does, and their types, such as "/owlat.Client", that stay beyond the limits, each
// with the reason.
var mayBeLarge = map[string]string{}

// TestPackagesAndTypesAreSmall also refuses an exception that is needed no more.
func TestPackagesAndTypesAreSmall(t *testing.T) {
	t.Parallel()
	packages, types := map[string]int{}, map[string]int{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := measure(folderOf(file), text, packages, types); err != nil {
			t.Errorf("parse %s: %v", file, err)
		}
	}
	if packages["/owlat"] == 0 || types["/owlat.Client"] == 0 {
		t.Errorf("the walk missed known packages and types; it saw %d and %d", len(packages), len(types))
	}
	large := map[string]bool{}
	for _, kind := range []struct {
		sizes map[string]int
		most  int
		hint  string
	}{{packages, maxPackage, "give each concern a package"}, {types, maxType, "give each concern a type"}} {
		for name, lines := range kind.sizes {
			if lines <= kind.most {
				continue
			}
			large[name] = true
			if mayBeLarge[name] == "" {
				t.Errorf("%s has %d lines, more than %d; %s", name, lines, kind.most, kind.hint)
			}
		}
	}
	for name := range mayBeLarge {
		if !large[name] {
			t.Errorf("%s is not large any more; take it from mayBeLarge", name)
		}
	}
}

// measure adds the lines of a file to those of its package, and those of its declarations and methods to those of their types.
func measure(folder string, text []byte, packages, types map[string]int) error {
	packages[folder] += bytes.Count(text, []byte("\n"))
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	add := func(name string, n ast.Node) {
		types[folder+"."+name] += files.Position(n.End()).Line - files.Position(n.Pos()).Line + 1
	}
	for _, decl := range parsed.Decls {
		switch decl := decl.(type) {
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					add(spec.Name.Name, spec)
				}
			}
		case *ast.FuncDecl:
			if decl.Recv != nil {
				add(receiver(decl.Recv.List[0].Type), decl)
			}
		}
	}
	return nil
}

// receiver is the name of a method's type, without pointer and type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.ParenExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	const one = "package p\n\n// T has a doc, which does not count.\ntype T[A any] struct {\n\ta A\n}\n\n// M neither.\nfunc (t *T[A]) M() {\n}\n\nfunc free() {\n}\n"
	const two = "package p\n\ntype (\n\tU int\n\tV struct{}\n)\n\nfunc (T[B]) N() {}\n\nfunc (v *V) O() {\n\t_ = v\n}\n"
	packages, types := map[string]int{}, map[string]int{}
	for _, text := range []string{one, two} {
		if err := measure("/p", []byte(text), packages, types); err != nil {
			t.Fatal(err)
		}
	}
	if packages["/p"] != 25 {
		t.Errorf("the package has %d lines", packages["/p"])
	}
	for name, want := range map[string]int{"/p.T": 6, "/p.U": 1, "/p.V": 4} {
		if types[name] != want {
			t.Errorf("%s has %d lines, want %d", name, types[name], want)
		}
	}
	if err := measure("/p", []byte("no Go"), packages, types); err == nil {
		t.Error("what is no Go is measured")
	}
}
