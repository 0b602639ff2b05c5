package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
)

const repository = "../.."

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sampleVariables stands for the environment that the samples name.
func sampleVariables(name string) (string, bool) {
	if strings.HasSuffix(name, "DATABASE_URL") {
		return "postgres://app:password@localhost/app", true
	}
	if name == config.EnvAPIKey {
		return "lm_live_" + strings.Repeat("a", 40), true
	}
	return "", false
}

func TestExamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(repository, "examples", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found %q, %v", files, err)
	}
	index := readDoc(t, "examples/README.md")
	for _, file := range files {
		if _, err := config.Load(file, config.UseAll, sampleVariables); err != nil {
			t.Error(err)
		}
		if !strings.Contains(index, "("+filepath.Base(file)+")") {
			t.Errorf("examples/README.md does not list %s", filepath.Base(file))
		}
	}
}

func TestReadmeSamplesLoad(t *testing.T) {
	t.Parallel()
	samples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDoc(t, "README.md"), -1)
	if len(samples) == 0 {
		t.Fatal("README.md has no sample of a configuration")
	}
	for i, sample := range samples {
		if _, err := config.Parse(fmt.Sprintf("sample-%d.yaml", i+1), []byte(sample[1]), sampleVariables); err != nil {
			t.Errorf("%v in\n%s", err, sample[1])
		}
	}
}

// TestReadmeIsComplete checks that the README names every command, flag, key and exit code that there is.
func TestReadmeIsComplete(t *testing.T) {
	t.Parallel()
	readme := readDoc(t, "README.md")
	root := newRootCmd(newApp(nil, strings.NewReader(""), io.Discard, io.Discard))
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		for _, c := range append([]*cobra.Command{cmd}, cmd.Commands()...) {
			if name := strings.TrimPrefix(c.CommandPath(), "owlat-sync "); c.RunE != nil && len(c.Commands()) == 0 && !strings.Contains(readme, "`"+name) {
				t.Errorf("README.md does not name the command %s", name)
			}
		}
	}
	for _, code := range exitcode.All() {
		if !strings.Contains(readme, fmt.Sprintf("| %d | %s", int(code), code)) {
			t.Errorf("README.md does not list the exit code %d as %q", int(code), code)
		}
	}
	schema, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var described map[string]any
	if err := json.Unmarshal(schema, &described); err != nil {
		t.Fatal(err)
	}
	keys := schemaKeys(described)
	if !slices.Contains(keys, "existing") || !slices.Contains(keys, "api_key") {
		t.Fatalf("the schema was not understood: %q", keys)
	}
	for _, key := range keys {
		if !regexp.MustCompile("`[^`]*\\b" + key + "\\b[^`]*`").MatchString(readme) {
			t.Errorf("README.md does not describe the key %s", key)
		}
	}
}

// schemaKeys lists the names of all properties. A property may itself be called "properties".
func schemaKeys(node any) []string {
	var keys []string
	switch node := node.(type) {
	case map[string]any:
		for word, child := range node {
			if properties, ok := child.(map[string]any); ok && word == "properties" {
				for name, property := range properties {
					keys = append(append(keys, name), schemaKeys(property)...)
				}
				continue
			}
			keys = append(keys, schemaKeys(child)...)
		}
	case []any:
		for _, child := range node {
			keys = append(keys, schemaKeys(child)...)
		}
	}
	return keys
}

// TestReadmeShowsWhatIsPrinted compares the output that the README shows with what the story "readme" prints, to the letter
// but for ids, times and what the README leaves out: lines before it, and a word for it in place of a topic's id.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	t.Parallel()
	printed, err := txtar.ParseFile("testdata/script/readme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	blocks := codeBlocks(readDoc(t, "README.md"))
	names := &story{names: map[string]string{"k57...": "NEWS"}}
	for name, from := range map[string]string{ // the line with which each begins
		"check.txt":   "  warning  rows:",
		"plan.txt":    "  invalid    3 ",
		"held.txt":    "owlat-sync: sync ",
		"changes.txt": "  update     1 ",
		"explain.txt": "users, row 1",
		"report.txt":  `{"type":"report"`,
	} {
		want := ""
		for _, f := range printed.Files {
			if f.Name == name {
				want = string(f.Data)
			}
		}
		at := strings.Index("\n"+want, "\n"+from)
		if at < 0 {
			t.Errorf("%s has no line that begins with %q", name, from)
			continue
		}
		want = strings.TrimSuffix(want[at:], "\n")
		if name == "check.txt" { // the README ends with the table
			want = want[:strings.LastIndex(want, "\n")]
		}
		var got string
		for _, block := range blocks {
			text := names.normal(block, "/nowhere")
			if at := strings.Index("\n"+text, "\n"+from); at >= 0 {
				got, _, _ = strings.Cut(text[at:], "\n\n$ ") // the next command
				break
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("README.md does not show what is printed (%s, -printed +README.md):\n%s", name, diff)
		}
	}
}

// codeBlocks returns what stands between fences, without the indentation of a list that the fences have too.
func codeBlocks(markdown string) (blocks []string) {
	var block []string
	inside, indent := false, ""
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		if text := strings.TrimLeft(line, " "); strings.HasPrefix(text, "```") {
			if inside {
				blocks = append(blocks, strings.Join(block, "\n"))
			}
			inside, indent, block = !inside, line[:len(line)-len(text)], nil
			continue
		}
		block = append(block, strings.TrimPrefix(line, indent))
	}
	return blocks
}
