package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"owlatsync/internal/exitcode"
)

var manualFolder = flag.String("manual", "", "write the manual pages and the completions of shells into this `folder`")

// shells are those with completions: how "completion" calls each, and the file in which packages install it.
var shells = map[string]string{"bash": "owlat-sync.bash", "zsh": "_owlat-sync", "fish": "owlat-sync.fish"}

// TestManual makes the manual pages and the completions of shells, which the packages bring along, from the commands themselves, and has
// the programs read them that people use: man and the shells that are there.
func TestManual(t *testing.T) {
	t.Parallel()
	folder := *manualFolder
	if folder == "" {
		folder = t.TempDir()
	}
	pages, completions := filepath.Join(folder, "man1"), filepath.Join(folder, "completions")
	for _, dir := range []string{pages, completions} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeManual(t, pages)
	for shell, name := range shells {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), []string{"completion", shell}, nil, strings.NewReader(""), &out, &errOut); code != 0 {
			t.Fatalf("completion %s ends with %d: %s", shell, code, errOut.String())
		}
		file := filepath.Join(completions, name)
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), shell, "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s does not take %s: %v\n%s", shell, name, err, out)
		}
	}
	checkManual(t, pages)
}

func manualRoot() *cobra.Command {
	root := newRootCmd(newApp(nil, strings.NewReader(""), io.Discard, io.Discard))
	root.InitDefaultHelpCmd()
	root.DisableAutoGenTag = true
	root.Long += "\n\nThe exit codes:\n\n" + exitcode.Help()
	var prepare func(*cobra.Command)
	prepare = func(cmd *cobra.Command) {
		cmd.Long, cmd.Example = asMarkdown(cmd.Long), strings.TrimRight(cmd.Example, "\n")
		cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = escapeMarkdown(f.Usage) })
		for _, sub := range cmd.Commands() {
			prepare(sub)
		}
	}
	prepare(root)
	return root
}

// writeManual writes a page for each command. SOURCE_DATE_EPOCH sets their date, so that the same source makes the same pages.
func writeManual(t *testing.T, folder string) {
	t.Helper()
	header := &doc.GenManHeader{Section: "1", Source: "owlat-sync", Manual: "owlat-sync"}
	if err := doc.GenManTree(manualRoot(), header, folder); err != nil {
		t.Fatal(err)
	}
}

// asMarkdown turns a help text into what cobra's manual pages are made from: lines that are set in stay as they are.
func asMarkdown(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") != inside && line != "" {
			inside = !inside
			b.WriteString("\n```\n")
		}
		if !inside {
			line = escapeMarkdown(line)
		}
		b.WriteString(line + "\n")
	}
	if inside {
		b.WriteString("```\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func escapeMarkdown(text string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "<", "\\<", "#", "\\#", "[", "\\[").Replace(text)
}

// checkManual looks for a page of each command with each of its flags, in what man shows of it.
func checkManual(t *testing.T, folder string) {
	t.Helper()
	_, err := exec.LookPath("man")
	man := err == nil
	pages := 0
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				check(sub)
			}
		}
		pages++
		file := filepath.Join(folder, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		shown := strings.NewReplacer(`\-`, "-", `\fB`, "", `\fP`, "", `\&`, "").Replace(string(text))
		if man {
			// A page that man has to guess at is warned of on the standard error.
			view := exec.CommandContext(t.Context(), "man", "--warnings", "--local-file", file)
			view.Env = append(os.Environ(), "MANWIDTH=400", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8", "PAGER=cat", "MANPAGER=cat")
			var out, errOut bytes.Buffer
			view.Stdout, view.Stderr = &out, &errOut
			if err := view.Run(); err != nil || errOut.Len() > 0 {
				t.Errorf("man does not take %s: %v\n%s", filepath.Base(file), err, errOut.String())
			}
			shown = strings.ReplaceAll(out.String(), "\u2010", "-")
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(shown, "--"+f.Name) {
				t.Errorf("%s does not show --%s", filepath.Base(file), f.Name)
			}
		})
		if first, _, _ := strings.Cut(cmd.Short, "`"); !strings.Contains(shown, first) {
			t.Errorf("%s does not say %q", filepath.Base(file), cmd.Short)
		}
	}
	check(newRootCmd(newApp(nil, strings.NewReader(""), io.Discard, io.Discard)))
	if written, err := filepath.Glob(filepath.Join(folder, "*.1")); err != nil || len(written) < pages || pages < 20 {
		t.Errorf("%d pages for %d commands, %v", len(written), pages, err)
	}
}
