package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger/transfer"
	"owlatsync/owlat/owlattest"
)

// badInput is one mistake: in what it differs from what works, and the exit code that it means. What the program must say,
// to the letter, stands under its name in the area's file in testdata/badinput; UPDATE_SCRIPTS=1 rewrites those files.
type badInput struct {
	name   string
	code   exitcode.Code
	args   []string                            // of the command line; nil: run --sync users
	change []string                            // a piece of the configuration and what stands in its place, and so on
	files  map[string]string                   // written over what works; a name that ends in "/" is a folder
	remove string                              // a file
	env    map[string]string                   // an empty value unsets the variable
	stdin  string                              //
	answer http.HandlerFunc                    // of the deployment, in place of the emulator's
	setup  func(t *testing.T, dir string)      // for what files cannot say
	scopes []string                            // of the API key; nil: all
	writes int                                 // write requests that are sent, and refused
	also   func(t *testing.T, stdout []string) // checks the lines of standard output
}

// badInputs are all cases by their area.
func badInputs() map[string][]badInput {
	return map[string][]badInput{
		"configuration": badConfigurations(),
		"policies":      badPolicies(),
		"dsn":           badDSNs(),
		"databases":     badDatabases(),
		"files":         badFiles(),
		"rows":          badRows(),
		"flags":         badFlags(),
		"answers":       badAnswers(),
	}
}

// enoughBadInputs is how many cases there must be.
const enoughBadInputs = 150

// TestBadInput makes every mistake, and wants the exact words and exit code, and that neither Owlat nor the ledger changed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newWorkshop(t)
	areas := badInputs()
	count := 0
	for _, area := range slices.Sorted(maps.Keys(areas)) {
		cases := areas[area]
		count += len(cases)
		book := readWords(t, area)
		t.Run(area, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { book.end(t, cases) })
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					book.compare(t, c.name, s.make(t, c))
				})
			}
		})
	}
	if count < enoughBadInputs {
		t.Errorf("only %d cases, want at least %d", count, enoughBadInputs)
	}
}

// wordBook holds what the program must say in the cases of an area.
type wordBook struct {
	path string
	want map[string]string
	mu   sync.Mutex
	got  map[string]string
}

func readWords(t *testing.T, area string) *wordBook {
	t.Helper()
	w := &wordBook{path: filepath.Join("testdata", "badinput", area+".txt"), want: make(map[string]string), got: make(map[string]string)}
	archive, err := txtar.ParseFile(w.path)
	if err != nil && !(errors.Is(err, os.ErrNotExist) && updating()) {
		t.Fatal(err)
	}
	if archive != nil {
		for _, f := range archive.Files {
			w.want[f.Name] = string(f.Data)
		}
	}
	return w
}

func updating() bool { return os.Getenv("UPDATE_SCRIPTS") != "" }

func (w *wordBook) compare(t *testing.T, name, got string) {
	t.Helper()
	w.mu.Lock()
	_, twice := w.got[name]
	w.got[name] = got
	w.mu.Unlock()
	if twice {
		t.Errorf("two cases are called %q", name)
	}
	if diff := gocmp.Diff(w.want[name], got); diff != "" && !updating() {
		t.Errorf("it says (-want +got):\n%s\n%s", diff, got)
	}
}

// end rewrites the file if asked to, and wants that it has nothing but the cases.
func (w *wordBook) end(t *testing.T, cases []badInput) {
	if !updating() {
		for name := range w.want {
			if !slices.ContainsFunc(cases, func(c badInput) bool { return c.name == name }) {
				t.Errorf("%s has words for the case %q, which is not there", w.path, name)
			}
		}
		return
	}
	archive := &txtar.Archive{Comment: []byte("What owlat-sync says to each mistake: standard error, after the first part of standard output.\n\n")}
	for _, c := range cases {
		if got, ran := w.got[c.name]; ran {
			archive.Files = append(archive.Files, txtar.File{Name: c.name, Data: []byte(got)})
		} else {
			archive.Files = append(archive.Files, txtar.File{Name: c.name, Data: []byte(w.want[c.name])})
		}
	}
	if err := os.MkdirAll(filepath.Dir(w.path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// workingConfig is a configuration that works; a case changes a piece of it.
const workingConfig = `owlat:
  url: ${OWLAT_URL}
  requests_per_second: 1000
ledger: owlat-sync.db
history_days: 90
syncs:
  users:
    source:
      dsn: csv:users.csv
    key: id
    fields: {email: email, firstName: first, lastName: last}
    topics:
      - id: ${TOPIC}
        when: news
    nulls: keep
    on_missing: delete
    on_remote_delete: keep
    guards: {removals: {share: 10%, rows: 20}}
    events:
      - name: user_changed
        on: updated
        properties: {plan: plan}
  leads:
    source: {dsn: "csv:leads.csv"}
    fields: {email: email}
`

const workingUsers = `id,email,first,last,news,plan
1,ann@example.com,Ann,Lee,yes,pro
2,bob@example.com,Bob,Ray,no,free
3,cleo@example.com,Cleo,Fox,no,free
`

// workshop is an emulator behind a real socket, shared by all cases: each has a key of its own, by which its requests are
// told from those of the others.
type workshop struct {
	server   *owlattest.Server
	url      string
	topic    string
	template string // a folder in which everything works and has been run
	bytes    string // hash of the template's ledger as a file
	holds    string // hash of what it holds

	mu      sync.Mutex
	writes  map[string]int              // by key
	answers map[string]http.HandlerFunc // by key
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	s := &workshop{
		server: &owlattest.Server{NoLimit: true}, template: t.TempDir(),
		writes: make(map[string]int), answers: make(map[string]http.HandlerFunc),
	}
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	s.url, s.topic = listener.URL, s.server.AddTopic("news", false)
	leads := "email\n"
	for i := range 6 {
		leads += fmt.Sprintf("lead%d@example.org\n", i)
	}
	for name, text := range map[string]string{"owlat-sync.yaml": workingConfig, "users.csv": workingUsers, "leads.csv": leads} {
		writeFile(t, filepath.Join(s.template, name), text)
	}
	fillDatabase(t, filepath.Join(s.template, "app.db"),
		"CREATE TABLE users (id INTEGER, email TEXT, first TEXT, last TEXT, news INTEGER, plan TEXT, raw BLOB)",
		"INSERT INTO users VALUES (1, 'ann@example.com', 'Ann', 'Lee', 1, 'pro', x'00'), (2, 'bob@example.com', 'Bob', 'Ray', 0, 'free', x'00'), (3, 'cleo@example.com', 'Cleo', 'Fox', 0, 'free', x'00')")
	key := s.server.AddKey()
	for _, args := range [][]string{{"run", "--yes", "--sync", "users"}, {"plan"}} {
		var stderr bytes.Buffer
		args = append(args, "--config", filepath.Join(s.template, "owlat-sync.yaml"))
		if code := run(t.Context(), args, s.env(key), strings.NewReader(""), io.Discard, &stderr); code != 0 {
			t.Fatalf("what must work ends with exit code %d:\n%s", code, stderr.Bytes())
		}
	}
	ledger := filepath.Join(s.template, "owlat-sync.db")
	s.holds = s.ledgerHash(t, ledger)
	s.bytes = fileHash(t, ledger)
	return s
}

// ServeHTTP counts what a case sends, and answers as it wants.
func (s *workshop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	if r.Method != http.MethodGet {
		s.writes[key]++
	}
	answer := s.answers[key]
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	s.server.ServeHTTP(w, r)
}

func (s *workshop) env(key string) []string {
	return []string{"OWLAT_URL=" + s.url, "OWLAT_API_KEY=" + key, "TOPIC=" + s.topic, "SECRET=" + dsnPassword, "EMPTY="}
}

// make makes the mistake in a folder of its own and returns what the program says.
func (s *workshop) make(t *testing.T, c badInput) string {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.template)); err != nil {
		t.Fatal(err)
	}
	c.prepare(t, dir)
	key := s.server.AddKey(c.scopes...)
	s.mu.Lock()
	s.answers[key] = c.answer
	s.mu.Unlock()
	env := s.env(key)
	for name, value := range c.env {
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		if value != "" {
			env = append(env, name+"="+strings.ReplaceAll(value, "URL", s.url))
		}
	}
	used := cmp.Or(c.env["OWLAT_API_KEY"], key)
	config := filepath.Join(dir, "owlat-sync.yaml")
	var args []string
	if !slices.Contains(c.args, "--config") {
		args = append(args, "--config", config)
	}
	for _, arg := range c.args {
		args = append(args, strings.ReplaceAll(strings.ReplaceAll(arg, "WORK", dir), "TOPIC", s.topic))
	}
	if c.args == nil {
		args = append(args, "run", "--sync", "users")
	}
	before, contacts := s.snapshot(t, dir), fmt.Sprint(s.server.Contacts())

	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, env, strings.NewReader(c.stdin), &stdout, &stderr)

	if code != int(c.code) {
		t.Errorf("exit code %d, want %d", code, c.code)
	}
	if diff := gocmp.Diff(before, s.snapshot(t, dir)); diff != "" {
		t.Errorf("the folder changed (-before +after):\n%s", diff)
	}
	if now := fmt.Sprint(s.server.Contacts()); now != contacts {
		t.Errorf("Owlat held %s, and holds %s", contacts, now)
	}
	s.mu.Lock()
	writes := s.writes[used]
	s.mu.Unlock()
	if writes != c.writes {
		t.Errorf("%d write requests were sent, want %d", writes, c.writes)
	}
	for _, secret := range []string{key, dsnPassword} {
		if strings.Contains(stdout.String()+stderr.String(), secret) {
			t.Error("a secret is printed")
		}
	}
	if c.also != nil {
		c.also(t, strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n"))
	}
	first, _, _ := strings.Cut(stdout.String(), "\n\n")
	if first != "" {
		first = strings.TrimSuffix(first, "\n") + "\n"
	}
	names := &story{names: map[string]string{s.topic: "TOPIC", s.url: "URL", config: "owlat-sync.yaml"}}
	return names.normal(first+stderr.String(), dir)
}

// prepare changes what works into what does not.
func (c *badInput) prepare(t *testing.T, dir string) {
	config := workingConfig
	for pair := range slices.Chunk(c.change, 2) {
		if !strings.Contains(config, pair[0]) {
			t.Fatalf("the configuration does not hold %q", pair[0])
		}
		config = strings.Replace(config, pair[0], pair[1], 1)
	}
	writeFile(t, filepath.Join(dir, "owlat-sync.yaml"), config)
	for name, text := range c.files {
		path := filepath.Join(dir, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		writeFile(t, path, text)
	}
	if c.remove != "" {
		if err := os.Remove(filepath.Join(dir, c.remove)); err != nil {
			t.Fatal(err)
		}
	}
	if c.setup != nil {
		c.setup(t, dir)
	}
}

// snapshot tells what is in the folder: a hash of each file, and of what the ledger holds but for its runs, which may tell of
// the mistake.
func (s *workshop) snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			found[e.Name()] = "a folder"
		case e.Name() == "owlat-sync.db":
			found[e.Name()] = s.ledgerHash(t, path)
		case strings.HasPrefix(e.Name(), "owlat-sync.db"): // beside the ledger while it is open, and its lock
		default:
			found[e.Name()] = fileHash(t, path)
		}
	}
	return found
}

// ledgerHash opens the ledger only where the file is not that of the template, byte for byte.
func (s *workshop) ledgerHash(t *testing.T, path string) string {
	t.Helper()
	if log, err := os.Stat(path + "-wal"); fileHash(t, path) == s.bytes && (err != nil || log.Size() == 0) {
		return s.holds
	}
	l, err := openLedger(context.Background(), path)
	if err != nil {
		return fileHash(t, path)
	}
	defer l.Close()
	var export bytes.Buffer
	if err := transfer.Export(context.Background(), l, &export); err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	lines := bufio.NewScanner(&export)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), `{"`), `"`)
		named := kind == "sync" && !strings.Contains(lines.Text(), "adopted") // as part of the record of its run
		if kind != "ledger" && kind != "run" && kind != "end" && !named {
			fmt.Fprintln(hash, lines.Text())
		}
	}
	return fmt.Sprintf("ledger %x", hash.Sum(nil))
}

func fileHash(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fillDatabase(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open(sqliteDriver, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execSQL(t, db, statements...)
}
