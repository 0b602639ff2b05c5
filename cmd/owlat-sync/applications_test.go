package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

// TestApplications writes a configuration for the database of each application and uses it as it is: check and plan have nothing to
// object to, a run makes the contacts of the people whom the tables' file names, with the first topic for those who consent, and another run
// sends nothing. Each application has one of its databases, "make soak" gives it all; what is proposed for each is tested in internal/propose.
func TestApplications(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(applications, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Errorf("only %d applications were found", len(files))
	}
	for n, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dialects := headerOf(string(text), "dialect")
		if one := n % max(len(dialects), 1); os.Getenv(allVariable) == "" && flag.Lookup("test.run").Value.String() == "" {
			dialects = dialects[one : one+1]
		}
		for _, name := range dialects {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".sql")+"_"+name, func(t *testing.T) {
				t.Parallel()
				began(t, string(text), furnished(t, name, string(text)))
			})
		}
	}
}

// began is what a newcomer does: init, check, plan, run.
func began(t *testing.T, text, dsn string) {
	t.Helper()
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	news := server.AddTopic("news", false)
	path := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	env := []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + server.AddKey(), "DATABASE_URL=" + dsn}
	try := func(args ...string) (code exitcode.Code, stdout, stderr string) {
		var out, err bytes.Buffer
		code = exitcode.Code(run(t.Context(), append(args, "--config", path), env, strings.NewReader(""), &out, &err))
		return code, out.String(), err.String()
	}
	do := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := try(args...)
		if code != exitcode.OK {
			written, _ := os.ReadFile(path)
			t.Fatalf("%v: %v\n%s%s\n%s", args, code, stdout, stderr, written)
		}
		return stdout
	}
	if scattered := headerOf(text, "scattered"); len(scattered) > 0 {
		if code, _, stderr := try("init"); code != exitcode.Error || !strings.Contains(stderr, scattered[0]) || !strings.Contains(stderr, scattered[1]) {
			t.Errorf("init: %v\n%s\nwant %q", code, stderr, scattered)
		}
		return
	}
	var found struct {
		Topics []struct{ When string }
	}
	if err := json.Unmarshal([]byte(do("init", "--json")), &found); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	args := []string{"init"}
	if len(found.Topics) > 0 {
		args = append(args, "--topic", news+"="+found.Topics[0].When)
	}
	told := do(args...)
	for _, line := range headerOf(text, "init") {
		if second, is := strings.CutPrefix(line, "runner-up "); is && !strings.Contains(told, "The likeliest other table is "+second+" (") {
			t.Errorf("init does not name the runner-up %s:\n%s", second, told)
		}
	}
	for _, note := range headerOf(text, "note") {
		if !strings.Contains(told, note) {
			t.Errorf("init does not say %q:\n%s", note, told)
		}
	}
	do("check")
	do("plan")
	do("run", "--yes")
	var got []string
	for _, c := range server.Contacts() {
		line := []string{c.Email, c.FirstName, c.LastName}
		if len(found.Topics) > 0 {
			line = append(line, strings.Repeat("yes", len(c.Topics)))
		}
		got = append(got, strings.Join(line, "|"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(headerOf(text, "person"))), got); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	before := server.Stats().Writes
	do("run")
	if sent := server.Stats().Writes - before; sent != 0 {
		t.Errorf("another run sent %d writes", sent)
	}
}
