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
	if strings.HasSuffix(name, "_API_KEY") {
		return "lm_live_" + strings.Repeat("a", 40), true
	}
	if _, place, of := strings.Cut(name, "_API_KEY_"); of { // one of several, which are different ones
		return "lm_live_" + strings.Repeat("a", 40) + place, true
	}
	switch {
	case name == config.EnvSecret:
		return "the secret of links", true
	case strings.HasSuffix(name, "_SECRET"):
		return "whsec_" + strings.Repeat("b", 32), true
	case strings.HasSuffix(name, "_URL"):
		return "https://hooks.example.com/services/x", true
	case strings.HasSuffix(name, "_PASSWORD"), strings.HasSuffix(name, "_TOKEN"), strings.HasSuffix(name, "_TOPIC"):
		return "hunter2", true
	case name == "OWLAT_SYNC_TOKEN_HASH":
		return "sha256:" + strings.Repeat("0", 64), true
	}
	return "", false
}

// TestDeployedConfigurationsLoad loads what deploy has for a service: all of it must be right, that of the service too.
func TestDeployedConfigurationsLoad(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"systemd/owlat-sync.yaml", "compose/config/owlat-sync.yaml", "kubernetes/owlat-sync.yaml"} {
		cfg, err := config.Load(filepath.Join(repository, "deploy", name), config.UseEverything, sampleVariables)
		if err != nil {
			t.Error(err)
			continue
		}
		if cfg.Service.Public == "" || len(cfg.Webhooks.Secrets) != 1 || len(cfg.Syncs) == 0 || !filepath.IsAbs(cfg.Ledger.Path) {
			t.Errorf("deploy/%s does not have what a service needs: %+v", name, cfg.Service)
		}
	}
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

// documents returns the texts that people read, by their names.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "examples/*.md", "deploy/*.md"} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: found %q, %v", pattern, files, err)
		}
		for _, file := range files {
			name, err := filepath.Rel(repository, file)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.ToSlash(name)] = readDoc(t, name)
		}
	}
	return texts
}

func TestDocumentedConfigurationsLoad(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		samples := 0
		for _, block := range codeBlocks(text) {
			if block.language != "yaml" {
				continue
			}
			samples++
			set, err := config.ParseSet(name, []byte(block.text), sampleVariables)
			if err != nil {
				t.Errorf("%v in\n%s", err, block.text)
				continue
			}
			for _, err := range set.Broken {
				t.Errorf("%v in\n%s", err, block.text)
			}
		}
		if name == "docs/configuration.md" && samples == 0 {
			t.Errorf("%s has no sample of a configuration", name)
		}
	}
}

// TestDocumentsAreComplete checks that the pages name every command, flag, key and exit code that there is.
func TestDocumentsAreComplete(t *testing.T) {
	t.Parallel()
	commands, keys := readDoc(t, "docs/commands.md"), readDoc(t, "docs/configuration.md")
	root := newRootCmd(newApp(nil, strings.NewReader(""), io.Discard, io.Discard))
	flags := func(usages string) {
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([\w-]+)`).FindAllStringSubmatch(usages, -1) {
			if name := flag[1]; name != "help" && !regexp.MustCompile("`[^`]*--"+name+"\\b[^`]*`").MatchString(commands) {
				t.Errorf("docs/commands.md does not name the flag --%s", name)
			}
		}
	}
	if global := root.PersistentFlags().FlagUsages(); !strings.Contains(global, "--config") {
		t.Fatalf("the flags were not understood: %s", global)
	}
	flags(root.PersistentFlags().FlagUsages())
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		for _, c := range append([]*cobra.Command{cmd}, cmd.Commands()...) {
			if name := strings.TrimPrefix(c.CommandPath(), "owlat-sync "); c.RunE != nil && len(c.Commands()) == 0 && !strings.Contains(commands, "`"+name) {
				t.Errorf("docs/commands.md does not name the command %s", name)
			}
			flags(c.LocalNonPersistentFlags().FlagUsages())
		}
	}
	for _, code := range exitcode.All() {
		if !strings.Contains(commands, fmt.Sprintf("| %d | %s", int(code), code)) {
			t.Errorf("docs/commands.md does not list the exit code %d as %q", int(code), code)
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
	names := schemaKeys(described)
	if !slices.Contains(names, "existing") || !slices.Contains(names, "api_key") {
		t.Fatalf("the schema was not understood: %q", names)
	}
	for _, key := range names {
		if !regexp.MustCompile("`[^`]*\\b" + key + "\\b[^`]*`").MatchString(keys) {
			t.Errorf("docs/configuration.md does not describe the key %s", key)
		}
	}
}

// TestDocumentedCommandLinesParse runs no command, but has each command line of the documents and of the examples read as
// the program reads it.
func TestDocumentedCommandLinesParse(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	scripts := []string{
		"examples/cron/owlat-sync", "examples/systemd/owlat-sync.service", "deploy/systemd/owlat-sync.service", "deploy/systemd/owlat-sync-backup.service",
	}
	for _, script := range scripts {
		texts[script] = "```sh\n" + readDoc(t, script) + "```\n"
	}
	for name, text := range texts {
		lines := 0
		for _, block := range codeBlocks(text) {
			if block.language != "sh" && block.language != "" {
				continue
			}
			for line := range strings.Lines(block.text) {
				if block.language == "" && !strings.HasPrefix(line, "$ ") {
					continue // output, not a command
				}
				for _, args := range commandLines(line) {
					lines++
					if err := parses(args, true); err != nil {
						t.Errorf("%s: owlat-sync %s: %v", name, strings.Join(args, " "), err)
					}
				}
			}
		}
		for _, span := range codeSpans(text) {
			for _, args := range commandLines(span) {
				if err := parses(args, false); err != nil { // a mention may leave out what a command is given
					t.Errorf("%s: `%s`: %v", name, span, err)
				}
			}
		}
		if lines == 0 && (name == "docs/getting-started.md" || name == "docs/deploying.md" || slices.Contains(scripts, name)) {
			t.Errorf("%s has no command line that was recognised", name)
		}
	}
	for _, wrong := range []string{"owlat-sync plant", "owlat-sync plan --sumary", "owlat-sync approve", "owlat-sync run --limit ten"} {
		if err := parses(commandLines(wrong)[0], true); err == nil {
			t.Errorf("%s is taken for a good command line", wrong)
		}
	}
}

// TestContainersRunCommands reads what the image, the compose file and the manifests have the program do.
func TestContainersRunCommands(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Dockerfile", "deploy/compose/compose.yaml", "deploy/kubernetes/statefulset.yaml"} {
		found := regexp.MustCompile(`(?m)^ *(?:CMD|command:|args:) \[(.*)\]$`).FindAllStringSubmatch(readDoc(t, name), -1)
		if len(found) != 1 {
			t.Fatalf("%s has %d commands", name, len(found))
		}
		args := strings.Split(strings.NewReplacer(`"`, "", " ", "").Replace(found[0][1]), ",")
		if err := parses(args, true); err != nil || args[0] != "serve" {
			t.Errorf("%s: owlat-sync %s: %v", name, strings.Join(args, " "), err)
		}
	}
}

// contained is a command line that has the program run in a container.
var contained = regexp.MustCompile(`(?:docker compose run --rm|docker compose exec owlat-sync|docker run .*|kubectl exec .* --) (owlat-sync .*)$`)

// programCall is how a command line names the program.
var programCall = regexp.MustCompile(`(?:^|[\s(=/])(?:owlat-sync|go run \./cmd/owlat-sync)(?:\s|$)`)

// commandLines returns the arguments of each call of the program in a line of a shell.
func commandLines(line string) (calls [][]string) {
	if strings.HasPrefix(line, "#") {
		return nil
	}
	line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
	for _, part := range regexp.MustCompile(`\|\|?|&&|;|>|\d?>&\d|[()]`).Split(line, -1) {
		if inner := contained.FindStringSubmatch(part); inner != nil {
			part = inner[1]
		}
		at := programCall.FindStringIndex(part)
		if at == nil || regexp.MustCompile(`\b(docker|kubectl|git|go test|sudo|journalctl|mkdir|mv) |^\*/`).MatchString(part) {
			continue
		}
		args := strings.Fields(part[at[1]:])
		if n := len(args); n > 0 && args[n-1] == "2" { // of 2>&1
			args = args[:n-1]
		}
		calls = append(calls, args)
	}
	return calls
}

// parses reads a command line without running it; strict wants all that the command must be given, too.
func parses(args []string, strict bool) error {
	root := newRootCmd(newApp(nil, strings.NewReader(""), io.Discard, io.Discard))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if given := cmd.Flags().Args(); cmd == root && len(given) > 0 {
		return fmt.Errorf("there is no command %q", given[0])
	}
	if !strict && len(cmd.Flags().Args()) == 0 {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
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

// TestDocumentsShowWhatIsPrinted compares the output that the documents show with what the story "readme" prints, to the letter
// but for ids, times and what the documents leave out: lines before it, and a word for it in place of a topic's id.
func TestDocumentsShowWhatIsPrinted(t *testing.T) {
	t.Parallel()
	printed, err := txtar.ParseFile("testdata/script/readme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string][]string) // by document
	names := &story{names: map[string]string{"k57...": "NEWS"}}
	for name, text := range documents(t) {
		for _, block := range codeBlocks(text) {
			blocks[name] = append(blocks[name], names.normal(block.text, "/nowhere"))
		}
	}
	for name, shown := range map[string]struct {
		in    string // a document that must show it; others may
		begin string // the line with which it begins
		end   string // the line before which it ends, if not with the file
	}{
		"init.txt":    {"docs/getting-started.md", "  table     users", "Wrote "},
		"check.txt":   {"docs/getting-started.md", "  warning  rows:", "Nothing keeps a run "},
		"plan.txt":    {"docs/getting-started.md", "  invalid    3 ", ""},
		"held.txt":    {"docs/guards.md", `owlat-sync: sync "users": run 3 is held `, ""},
		"changes.txt": {"docs/explain.md", "  update     1 ", ""},
		"explain.txt": {"docs/explain.md", "users, row 1", ""},
		"report.txt":  {"docs/commands.md", `{"type":"report"`, ""},
	} {
		want := ""
		for _, f := range printed.Files {
			if f.Name == name {
				want = string(f.Data)
			}
		}
		at := strings.Index("\n"+want, "\n"+shown.begin)
		if at < 0 {
			t.Errorf("%s has no line that begins with %q", name, shown.begin)
			continue
		}
		want = want[at:]
		if shown.end != "" {
			want, _, _ = strings.Cut(want, "\n"+shown.end)
		}
		want = strings.TrimRight(want, "\n")
		if name == "init.txt" { // the documents show PostgreSQL, whose condition is shorter
			want = strings.Replace(want, "email_verified <> 0", "email_verified", 1)
		}
		found := false
		for document, texts := range blocks {
			for _, text := range texts {
				at := strings.Index("\n"+text, "\n"+shown.begin)
				if at < 0 {
					continue
				}
				found = found || document == shown.in
				got, _, _ := strings.Cut(text[at:], "\n\n$ ") // the next command
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("%s does not show what is printed (%s, -printed +%s):\n%s", document, name, document, diff)
				}
			}
		}
		if !found {
			t.Errorf("%s does not show what is printed in %s", shown.in, name)
		}
	}
}

// codeBlock is what stands between two fences.
type codeBlock struct{ language, text string }

// codeBlocks returns the blocks without the indentation of a list that the fences have too.
func codeBlocks(markdown string) (blocks []codeBlock) {
	var block []string
	inside, indent, language := false, "", ""
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		if text := strings.TrimLeft(line, " "); strings.HasPrefix(text, "```") {
			if inside {
				blocks = append(blocks, codeBlock{language, strings.Join(block, "\n")})
			}
			inside, indent, block = !inside, line[:len(line)-len(text)], nil
			language = strings.TrimPrefix(text, "```")
			continue
		}
		block = append(block, strings.TrimPrefix(line, indent))
	}
	return blocks
}

// codeSpans returns what stands between backticks in the prose.
func codeSpans(markdown string) (spans []string) {
	prose := regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(markdown, "")
	for _, span := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(prose, -1) {
		spans = append(spans, span[1])
	}
	return spans
}
