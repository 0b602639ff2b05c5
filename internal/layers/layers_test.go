// Package layers keeps the table of which package may import which: imports only point down, so that each part can be
// used and understood without those above it. It also keeps files, types and packages small.
package layers

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "owlatsync"
	root   = "../.."

	// maxLines is the longest a file of the program may be; tests may be longer.
	maxLines = 500

	// all stands for every package, of this module or not.
	all = "*"
)

// table says what the packages under a folder may import beside the standard library: the longest folder that fits
// counts. Folders of the module begin with "/", and "/" is the root package alone; others are modules.
var table = map[string][]string{
	"/": {},

	"/owlat":                    {"/owlat/internal/pace", "/owlat/internal/signature"},
	"/owlat/internal/pace":      {},
	"/owlat/internal/signature": {},

	"/owlat/owlattest": {
		"/", "/owlat", "/owlat/owlattest/internal/answer", "/owlat/owlattest/internal/connection", "/owlat/owlattest/internal/control",
		"/owlat/owlattest/internal/faults", "/owlat/owlattest/internal/js", "/owlat/owlattest/internal/model",
		"/owlat/owlattest/internal/persist", "/owlat/owlattest/internal/routes", "/owlat/owlattest/internal/webhooks",
	},
	"/owlat/owlattest/internal/js":     {},
	"/owlat/owlattest/internal/answer": {"/owlat/owlattest/internal/js"},
	"/owlat/owlattest/internal/model":  {"/"},
	"/owlat/owlattest/internal/routes": {
		"/", "/owlat/owlattest/internal/answer", "/owlat/owlattest/internal/js", "/owlat/owlattest/internal/model",
	},
	"/owlat/owlattest/internal/faults":     {"/owlat/owlattest/internal/answer", "/owlat/owlattest/internal/routes"},
	"/owlat/owlattest/internal/connection": {"/owlat/owlattest/internal/answer", "/owlat/owlattest/internal/faults"},
	"/owlat/owlattest/internal/webhooks":   {"/owlat", "/owlat/owlattest/internal/js", "/owlat/owlattest/internal/model"},
	"/owlat/owlattest/internal/persist":    {"/owlat/owlattest/internal/model", "/owlat/owlattest/internal/webhooks"},
	"/owlat/owlattest/internal/control":    {"/owlat/owlattest/internal/answer", "/owlat/owlattest/internal/connection"},

	"/ledger":            {"/", "github.com/zeebo/xxh3"},
	"/ledger/sqlite":     {"/", "/ledger", "github.com/gofrs/flock", "github.com/pressly/goose/v3"},
	"/ledger/ledgertest": {"/", "/ledger", "github.com/google/go-cmp"},

	"/reconcile": {"/", "/owlat", "/ledger", "github.com/zeebo/xxh3", "golang.org/x/sync"},

	"/source": {
		"/", "/source/internal/ahead", "/source/internal/cell", "/source/internal/sqlrows", "/source/internal/statement", "github.com/jackc/pgx/v5",
	},
	"/source/internal/ahead":     {},
	"/source/internal/cell":      {},
	"/source/internal/sqlrows":   {"/source/internal/ahead", "/source/internal/cell"},
	"/source/internal/statement": {},
	"/source/sourcetest":         {"/", "/source", "github.com/google/go-cmp"},

	"/internal": {all},
	"/cmd":      {all},
	"/examples": {all},
}

// onlyFor names what just some folders may import, whatever the table says.
var onlyFor = map[string][]string{
	"/cmd": {"/cmd"},
	// The database drivers: a library must leave their choice to the program.
	"github.com/go-sql-driver/mysql": drivers,
	"github.com/jackc/pgx/v5/stdlib": drivers,
	"github.com/lib/pq":              drivers,
	"github.com/mattn/go-sqlite3":    drivers,
	"modernc.org/sqlite":             drivers,
}

// drivers are the folders that may import database drivers: the program, what only tests and measurements use, and what makes
// a DSN into the driver's own configuration.
var drivers = []string{"/cmd", "/examples", "/internal/bench", "/internal/sourcedsn", "/internal/testdb", "/internal/testservers"}

// withoutDrivers are the packages that a program can link without getting a database driver.
var withoutDrivers = []string{".", "./owlat/...", "./reconcile/...", "./source/...", "./ledger/..."}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		seen[folderOf(file)] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("parse %s: %v", file, err)
			continue
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if why := forbidden(folderOf(file), imported); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		}
	}
	if !seen["/"] || !seen["/internal/testdb"] {
		t.Errorf("the walk missed known packages; it saw %v", seen)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		folder, imported string
		allowed          bool
	}{
		{"/", "strings", true},
		{"/", "owlatsync/owlat", false},
		{"/", "golang.org/x/text/cases", false},
		{"/owlat", "golang.org/x/time/rate", false},
		{"/reconcile", "golang.org/x/syncopate", false},
		{"/owlat", "owlatsync", false},
		{"/owlat/internal/pace", "owlatsync/owlat", false},
		{"/owlat", "owlatsync/owlat/owlattest", false},
		{"/owlat/owlattest", "owlatsync/owlat", true},
		{"/owlat/owlattest/internal/model", "owlatsync/owlat/owlattest/internal/routes", false},
		{"/owlat/owlattest/internal/routes", "owlatsync/owlat/owlattest/internal/faults", false},
		{"/reconcile", "owlatsync/source", false},
		{"/reconcile", "owlatsync/owlat/owlattest", false},
		{"/source", "github.com/jackc/pgx/v5/pgconn", true},
		{"/source", "github.com/jackc/pgx/v5/stdlib", false},
		{"/source", "modernc.org/sqlite", false},
		{"/source", "owlatsync/reconcile", false},
		{"/ledger", "owlatsync/reconcile", false},
		{"/ledger/sqlite", "owlatsync/ledger", true},
		{"/ledger/sqlite", "owlatsync/reconcile", false},
		{"/source", "owlatsync/source/internal/cell", true},
		{"/source/internal/cell", "owlatsync/source/internal/sqlrows", false},
		{"/source/internal/sqlrows", "owlatsync/source", false},
		{"/ledger/ledgertest", "owlatsync/ledger", true},
		{"/internal/config", "owlatsync/ledger", true},
		{"/internal/config", "modernc.org/sqlite", false},
		{"/internal/config", "owlatsync/cmd/owlat-sync", false},
		{"/internal/testdb", "github.com/go-sql-driver/mysql", true},
		{"/cmd/owlat-sync", "modernc.org/sqlite", true},
		{"/unheard-of", "strings", false},
	} {
		if got := forbidden(test.folder, test.imported) == ""; got != test.allowed {
			t.Errorf("%s imports %s: allowed %v, want %v", test.folder, test.imported, got, test.allowed)
		}
	}
}

// TestLibrariesLinkNoDriver also sees drivers that come in through somebody else's package.
func TestLibrariesLinkNoDriver(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{.ImportPath}}"}, withoutDrivers...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, module) {
		t.Fatalf("go list did not list this module: %s", out)
	}
	for _, p := range linked {
		for name, allowed := range onlyFor {
			if slices.Equal(allowed, drivers) && within(p, name) {
				t.Errorf("the libraries link the database driver %s", p)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d; give each concern a file", file, lines, maxLines)
		}
	}
}

// forbidden says why the package in folder must not import, or nothing.
func forbidden(folder, imported string) string {
	name := imported
	if within(imported, module) {
		name = "/" + strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
	}
	rule, known := ruleFor(folder)
	if !known {
		return "the table has no row for " + folder + "; add one"
	}
	for special, folders := range onlyFor {
		if within(name, special) && !slices.ContainsFunc(folders, func(f string) bool { return within(folder, f) }) {
			return "only " + strings.Join(folders, ", ") + " may"
		}
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.HasPrefix(name, "/") && !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for _, allowed := range rule {
		if allowed == all || name == allowed || !strings.HasPrefix(allowed, "/") && within(name, allowed) {
			return ""
		}
	}
	return "the table does not allow it"
}

func ruleFor(folder string) ([]string, bool) {
	for f := folder; f != "/"; f = path.Dir(f) {
		if rule, ok := table[f]; ok {
			return rule, true
		}
	}
	rule, ok := table["/"]
	return rule, ok && folder == "/"
}

// within reports whether path is folder or lies in it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func folderOf(file string) string { return path.Join("/", path.Dir(file)) }

// goFiles lists the module's Go files by their slash-separated path.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin" || entry.Name() == "dist"):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
