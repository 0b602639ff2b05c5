package layers

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

var update = flag.Bool("update", false, "write the list of what the library exports, instead of comparing it")

// public are the packages whose exported names are a promise, which docs/stability.md makes. The other rooms of the engine are exported for one another alone.
var public = []string{
	"", "ledger", "ledger/ledgertest", "ledger/memory", "ledger/postgres", "ledger/sqlite", "ledger/transfer", "owlat", "owlat/owlattest",
	"reconcile", "reconcile/progress", "reconcile/rounds", "source", "source/mongo", "source/notify", "source/sourcetest", "source/xlsx",
}

// exported are the public packages with their types and syntax, loaded once.
var exported = sync.OnceValues(func() ([]*packages.Package, error) {
	var patterns []string
	for _, folder := range public {
		patterns = append(patterns, "./"+folder)
	}
	return packages.Load(&packages.Config{
		Dir:  root,
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedImports | packages.NeedFiles,
	}, patterns...)
})

func load(t *testing.T) []*packages.Package {
	t.Helper()
	loaded, err := exported()
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != len(public) {
		t.Fatalf("%d packages of %d were found", len(loaded), len(public))
	}
	for _, p := range loaded {
		for _, err := range p.Errors {
			t.Fatal(err)
		}
	}
	return loaded
}

// What the library exports is kept as a list, a line for each name, field and method. A line that is gone is a program of somebody else's that no longer builds.
func TestExportedAPI(t *testing.T) {
	t.Parallel()
	var now list
	for _, p := range load(t) {
		for _, name := range p.Types.Scope().Names() {
			if o := p.Types.Scope().Lookup(name); o.Exported() {
				now.add(o)
			}
		}
	}
	slices.Sort(now.lines)
	file := filepath.Join(root, "api.txt")
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(now.lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gone, more := difference(strings.Split(strings.TrimSpace(string(kept)), "\n"), now.lines)
	if len(gone) > 0 {
		t.Errorf("what the library exports has changed, so that programs which use it may no longer build; docs/stability.md says when that may be.\n"+
			"If it is meant, run make api, and say in CHANGELOG.md what they have to change. Gone:\n%s", strings.Join(gone, "\n"))
	}
	if len(more) > 0 {
		t.Errorf("the library exports more than api.txt lists; run make api if it is meant. New:\n%s", strings.Join(more, "\n"))
	}
}

// difference returns what only one of two lists has.
func difference(before, after []string) (gone, more []string) {
	in := func(all []string) map[string]bool {
		set := make(map[string]bool, len(all))
		for _, line := range all {
			set[line] = true
		}
		return set
	}
	was, is := in(before), in(after)
	maps.DeleteFunc(was, func(line string, _ bool) bool { return is[line] })
	for _, line := range before {
		delete(is, line)
	}
	return slices.Sorted(maps.Keys(was)), slices.Sorted(maps.Keys(is))
}

// list has a line for everything that the public packages export, and for the types of other rooms that are reached from there. An interface is one line, since
// a method more breaks those who implement it.
type list struct {
	lines []string
	seen  map[*types.TypeName]bool
}

// in says something of what stands in a package.
func (l *list) in(p *types.Package, format string, args ...any) {
	l.lines = append(l.lines, roomOf(p)+": "+fmt.Sprintf(format, args...))
}

func roomOf(p *types.Package) string {
	return strings.TrimPrefix(strings.TrimPrefix(p.Path(), module), "/")
}

// text is a type as the code of a package has it.
func (l *list) text(t types.Type, p *types.Package) string {
	l.reach(t)
	return types.TypeString(t, func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	})
}

func (l *list) function(name string, f *types.Signature, p *types.Package) string {
	return name + strings.TrimPrefix(l.text(unnamed(f), p), "func")
}

// add says what an exported name is.
func (l *list) add(o types.Object) {
	p := o.Pkg()
	switch o := o.(type) {
	case *types.Const:
		l.in(p, "const %s %s = %s", o.Name(), l.text(o.Type(), p), o.Val().ExactString())
	case *types.Var:
		l.in(p, "var %s %s", o.Name(), l.text(o.Type(), p))
	case *types.Func:
		l.in(p, "func %s", l.function(o.Name(), o.Signature(), p))
	case *types.TypeName:
		if l.seen[o] {
			return
		}
		if l.seen == nil {
			l.seen = map[*types.TypeName]bool{}
		}
		l.seen[o] = true
		if o.IsAlias() {
			l.in(p, "type %s = %s", o.Name(), l.text(types.Unalias(o.Type()), p))
			return
		}
		l.defined(o)
	}
}

// defined says what a defined type is, with its fields and methods.
func (l *list) defined(o *types.TypeName) {
	p, name := o.Pkg(), o.Name()
	switch under := o.Type().Underlying().(type) {
	case *types.Struct:
		l.in(p, "type %s struct", name)
		for f := range under.Fields() {
			if f.Exported() {
				l.in(p, "type %s struct, %s %s", name, f.Name(), l.text(f.Type(), p))
			}
		}
	case *types.Interface:
		var methods []string
		for m := range under.Methods() {
			methods = append(methods, l.function(m.Name(), m.Signature(), p))
		}
		l.in(p, "type %s interface{ %s }", name, strings.Join(methods, "; "))
		return
	default:
		l.in(p, "type %s %s", name, l.text(under, p))
	}
	for _, m := range typeutil.IntuitiveMethodSet(o.Type(), nil) {
		if !m.Obj().Exported() {
			continue
		}
		receiver := name
		if _, pointer := m.Recv().(*types.Pointer); pointer {
			receiver = "*" + name
		}
		l.in(p, "method (%s) %s", receiver, l.function(m.Obj().Name(), m.Type().(*types.Signature), p))
	}
}

// reach adds the types of other rooms of the module of which a type is made.
func (l *list) reach(t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		l.reach(types.Unalias(t))
	case *types.Named:
		for inner := range t.TypeArgs().Types() {
			l.reach(inner)
		}
		if o := t.Obj(); o.Pkg() != nil && strings.HasPrefix(o.Pkg().Path()+"/", module+"/") && !slices.Contains(public, roomOf(o.Pkg())) {
			l.add(o)
		}
	case *types.Signature:
		l.reach(t.Params())
		l.reach(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			l.reach(v.Type())
		}
	case *types.Struct:
		for f := range t.Fields() {
			l.reach(f.Type())
		}
	case *types.Map:
		l.reach(t.Key())
		l.reach(t.Elem())
	case interface{ Elem() types.Type }: // a pointer, a slice, an array, a channel
		l.reach(t.Elem())
	}
}

// unnamed is a function without the names of what it takes and returns, which no caller sees.
func unnamed(f *types.Signature) *types.Signature {
	bare := func(all *types.Tuple) *types.Tuple {
		var vars []*types.Var
		for v := range all.Variables() {
			vars = append(vars, types.NewParam(token.NoPos, nil, "", v.Type()))
		}
		return types.NewTuple(vars...)
	}
	if f.TypeParams().Len() > 0 {
		return f // a type parameter belongs to one function only
	}
	return types.NewSignatureType(nil, nil, nil, bare(f.Params()), bare(f.Results()), f.Variadic())
}

// Every name that the library exports is explained.
func TestExportedNamesAreExplained(t *testing.T) {
	t.Parallel()
	for _, p := range load(t) {
		explained := false
		for _, file := range p.Syntax {
			explained = explained || file.Doc != nil
			for _, d := range file.Decls {
				for _, missing := range unexplained(d) {
					t.Errorf("%s: %s has no comment", p.Fset.Position(missing.Pos()), missing.Name)
				}
			}
		}
		if !explained {
			t.Errorf("%s: the package has no comment", cmp.Or(p.PkgPath, module))
		}
	}
}

// unexplained returns the exported names of a declaration that have no comment of their own and stand in no group that has one.
func unexplained(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				if s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name)
				}
				names = append(names, unexplainedIn(s.Type)...)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						names = append(names, name)
					}
				}
			}
		}
	}
	return names
}

// unexplainedIn returns the exported methods of an interface without a comment: whoever implements it has no other place to look.
func unexplainedIn(t ast.Expr) (names []*ast.Ident) {
	i, ok := t.(*ast.InterfaceType)
	if !ok {
		return nil
	}
	for _, m := range i.Methods.List {
		for _, name := range m.Names {
			if name.IsExported() && m.Doc == nil && m.Comment == nil {
				names = append(names, name)
			}
		}
	}
	return names
}
