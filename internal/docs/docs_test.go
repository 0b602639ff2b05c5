// Package docs checks what the documents say of the repository: that links lead somewhere, that what they name is there, and
// that samples of Go compile. What they say of the command line is checked beside it.
package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// maxReadme is how many lines a newcomer is asked to read.
const maxReadme = 200

// documents returns all Markdown files by their path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, file := range files(t, ".md") {
		texts[file] = read(t, file)
	}
	for _, name := range []string{"README.md", "docs/README.md", "docs/guarantees.md", "examples/README.md"} {
		if texts[name] == "" {
			t.Fatalf("the walk missed %s", name)
		}
	}
	return texts
}

// files lists those with an ending, by their path from the root.
func files(t *testing.T, ending string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(name, ending) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fenced  = regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$")
	spans   = regexp.MustCompile("`[^`\n]+`")
	links   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	silent  = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // what an anchor leaves out of its heading
)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	heads := make(map[string][]string)
	for name, text := range texts {
		heads[name] = anchors(text)
	}
	checked := 0
	for name, text := range texts {
		for _, link := range links.FindAllStringSubmatch(withoutCode(text), -1) {
			if err := follow(heads, name, link[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			checked++
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were found", checked)
	}
	for _, broken := range []string{"docs/nowhere.md", "docs/guarantees.md#9-nothing", "#nothing", "../outside"} {
		if follow(heads, "README.md", broken) == nil {
			t.Errorf("%s counts as a good link", broken)
		}
	}
}

// follow looks for what a link in a document leads to, by the anchors of each document. Links to other sites are left alone.
func follow(heads map[string][]string, from, link string) error {
	if strings.Contains(link, "://") {
		return nil
	}
	target, anchor, _ := strings.Cut(link, "#")
	file := from
	if target != "" {
		file = path.Join(path.Dir(from), target)
	}
	if strings.HasPrefix(file, "..") {
		return fmt.Errorf("the link %s leads out of the repository", link)
	}
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		return fmt.Errorf("the link %s leads nowhere", link)
	}
	if anchor == "" || !strings.HasSuffix(file, ".md") {
		return nil
	}
	if !slices.Contains(heads[file], anchor) {
		return fmt.Errorf("the link %s names no heading of %s", link, file)
	}
	return nil
}

// anchors lists the names by which the headings of a document are linked to.
func anchors(text string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := linked.ReplaceAllString(h[1], "$1")
		title = silent.ReplaceAllString(strings.ToLower(title), "")
		name := strings.ReplaceAll(title, " ", "-")
		for n := 1; slices.Contains(names, name); n++ {
			name = fmt.Sprintf("%s-%d", strings.ReplaceAll(title, " ", "-"), n)
		}
		names = append(names, name)
	}
	return names
}

func withoutCode(text string) string {
	return spans.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
}

func TestTheIndexListsEveryPage(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/README.md")
	for name := range documents(t) {
		if page, ok := strings.CutPrefix(name, "docs/"); ok && page != "README.md" && !strings.Contains(index, "]("+page+")") {
			t.Errorf("docs/README.md does not list %s", page)
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	if n := strings.Count(readme, "\n"); n > maxReadme {
		t.Errorf("README.md has %d lines, and may have %d: move what a newcomer does not need to docs", n, maxReadme)
	}
	for _, command := range []string{"\ngo run ./cmd/owlat-sync demo ", "\nmake test "} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md lacks the command %q", command)
		}
	}
}

// TestWhatIsNamedIsThere looks for the tests, files, folders and make targets that the documents name.
func TestWhatIsNamedIsThere(t *testing.T) {
	t.Parallel()
	tests := make(map[string]bool)
	for _, file := range files(t, "_test.go") {
		for _, name := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w*)\(`).FindAllStringSubmatch(read(t, file), -1) {
			tests[name[1]] = true
		}
	}
	makefile := read(t, "Makefile")
	folders := topFolders(t)
	found := map[string]int{}
	for name, text := range documents(t) {
		code := strings.Join(spans.FindAllString(fenced.ReplaceAllString(text, ""), -1), "\n")
		var commands strings.Builder
		for _, block := range fenced.FindAllStringSubmatch(text, -1) {
			if block[2] == "sh" {
				commands.WriteString(block[3])
			}
		}
		all := code + "\n" + commands.String()
		for _, test := range regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`).FindAllString(all, -1) {
			found["test"]++
			if !anyHasPrefix(tests, test) {
				t.Errorf("%s names the test %s, which there is not", name, test)
			}
		}
		for _, target := range regexp.MustCompile("(?m)(?:^ *|`)make ([a-z]+)").FindAllStringSubmatch(all, -1) {
			found["target"]++
			if !strings.Contains(makefile, "\n"+target[1]+":") {
				t.Errorf("%s names make %s, which there is not", name, target[1])
			}
		}
		if name == "CHANGELOG.md" { // it tells of what is past
			continue
		}
		for _, file := range regexp.MustCompile("`(?:\\./)?([a-z][\\w.*-]*(?:/[\\w.*-]+)+)`").FindAllStringSubmatch(code, -1) {
			if !folders[strings.SplitN(file[1], "/", 2)[0]] {
				continue // a package of another module, or a path on somebody's machine
			}
			found["file"]++
			if matches, err := filepath.Glob(filepath.Join(root, file[1])); err != nil || len(matches) == 0 {
				t.Errorf("%s names %s, which there is not", name, file[1])
			}
		}
		for _, folder := range regexp.MustCompile(`go (?:test|run|install|build|vet) [^\n`+"`"+`]*`).FindAllString(all, -1) {
			for _, pkg := range regexp.MustCompile(`\./[\w/-]+`).FindAllString(folder, -1) {
				found["package"]++
				if matches, err := filepath.Glob(filepath.Join(root, strings.TrimSuffix(pkg, "/"), "*.go")); err != nil || len(matches) == 0 {
					t.Errorf("%s names the package %s, which there is not", name, pkg)
				}
			}
		}
	}
	for _, kind := range []string{"test", "target", "file", "package"} {
		if found[kind] < 5 {
			t.Errorf("only %d of kind %s were found", found[kind], kind)
		}
	}
}

func topFolders(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := make(map[string]bool)
	for _, e := range entries {
		folders[e.Name()] = e.IsDir()
	}
	return folders
}

// anyHasPrefix reports whether a test has the name, or begins with it as -run allows.
func anyHasPrefix(tests map[string]bool, name string) bool {
	if tests[name] {
		return true
	}
	for test := range tests {
		if strings.HasPrefix(test, name) {
			return true
		}
	}
	return false
}

// TestGoSamplesCompile compiles each sample of Go in the documents as the body of a function.
func TestGoSamplesCompile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range documents(t) {
		for i, block := range fenced.FindAllStringSubmatch(text, -1) {
			if block[2] != "go" {
				continue
			}
			source, err := program(block[3])
			if err != nil {
				t.Errorf("%s, a sample of Go: %v", name, err)
				continue
			}
			file := fmt.Sprintf("sample_%s_%d.go", strings.NewReplacer("/", "_", ".", "_").Replace(name), i)
			if err := os.WriteFile(filepath.Join(folder, file), []byte(strings.Replace(source, "func sample(", fmt.Sprintf("func sample%d(", len(overlay.Replace)), 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			there, err := filepath.Abs(filepath.Join(root, "internal", "docs", "samples", file))
			if err != nil {
				t.Fatal(err)
			}
			overlay.Replace[there] = filepath.Join(folder, file)
		}
	}
	if len(overlay.Replace) == 0 {
		t.Fatal("there is no sample of Go")
	}
	encoded, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "./internal/docs/samples")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// packages are those that a sample may use without importing them.
var packages = map[string]string{
	"os": "os", "context": "context", "http": "net/http", "slices": "slices", "testing": "testing", "fmt": "fmt",
	"owlat": "owlatsync/owlat", "owlattest": "owlatsync/owlat/owlattest", "reconcile": "owlatsync/reconcile", "source": "owlatsync/source", "ledger": "owlatsync/ledger", "sqlite": "owlatsync/ledger/sqlite", "progress": "owlatsync/reconcile/progress",
}

// program makes a file of a sample. What the sample takes as given, such as ctx, is a parameter, and what it makes and does
// not use is used.
func program(sample string) (string, error) {
	body := "package samples\n\nfunc sample(ctx context.Context, t testing.TB, topicID, contactID string, signUp func(context.Context, *owlat.Client, string, string) error, users reconcile.Sync, given *owlat.Client) error {\n\tclient := given\n\t_ = client\n\n" + sample + "}\n"
	parsed, err := parser.ParseFile(token.NewFileSet(), "sample.go", body, 0)
	if err != nil {
		return "", err
	}
	var imports, uses strings.Builder
	seen := make(map[string]bool)
	for _, given := range []string{"context", "testing", "owlat", "reconcile"} {
		seen[given] = true
		fmt.Fprintf(&imports, "import %q\n", packages[given])
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && packages[x.Name] != "" && !seen[x.Name] {
				seen[x.Name] = true
				fmt.Fprintf(&imports, "import %q\n", packages[x.Name])
			}
		}
		return true
	})
	for _, statement := range parsed.Decls[0].(*ast.FuncDecl).Body.List {
		assigned, ok := statement.(*ast.AssignStmt)
		if !ok || assigned.Tok != token.DEFINE {
			continue
		}
		for _, left := range assigned.Lhs {
			if x, ok := left.(*ast.Ident); ok && x.Name != "_" {
				fmt.Fprintf(&uses, "_ = %s\n", x.Name)
			}
		}
	}
	body = strings.TrimSuffix(body, "}\n") + uses.String() + "return nil\n}\n"
	return strings.Replace(body, "package samples\n", "package samples\n\n"+imports.String(), 1), nil
}
