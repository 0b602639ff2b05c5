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
		if _, err := config.Load(file, sampleVariables); err != nil {
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
