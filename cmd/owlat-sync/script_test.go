package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"owlatsync/internal/config"
	"owlatsync/internal/feedback"
	"owlatsync/internal/setup"
	"owlatsync/internal/testbrowser"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"owlat-sync": main, crashingProgram: crashMain, fakeCurl: curlMain})
}

// leakChecked fails a run of the tests that passed but left goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := testbrowser.Main(m.M)
	if err := errors.Join(removePlain(), readyDatabase.Drop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// openLedger opens a ledger in a file as the program does.
func openLedger(ctx context.Context, path string) (*sqlite.Ledger, error) {
	return sqlite.Open(ctx, sqliteDriver, path)
}

// dsnPassword is the password in DSNs of the stories; no output may hold it.
const dsnPassword = "hunter2topsecret"

// linkSecret signs the links in the mails of the stories' deployment; no output may hold it.
const linkSecret = "the secret of the stories' links"

// story is what a script has beside its folder: an emulator, reached over a real socket under a path.
type story struct {
	server *owlattest.Server
	key    string
	writes int // write requests when "writes" was asked last
	names  map[string]string
	ledger string // the DSN of the ledger, for stories whose ledger is in PostgreSQL; empty: it is a file
}

// open opens the ledger of the story as the program does: the file, or that in PostgreSQL.
func (s *story) open(file string) (setup.Ledger, error) {
	at := config.Ledger{Path: file, DSN: config.Secret(s.ledger)}
	return setup.Opener{Drivers: drivers()}.Ledger(context.Background(), &config.Config{Ledger: at})
}

type storyKey struct{}

// soonDone is the GORACE of processes that tests start: a program with the race detector otherwise sleeps a second
// before it exits, and has its memory in small pages, which take long to get.
const soonDone = "atexit_sleep_ms=0 no_huge_pages_for_shadow=0"

// TestStories runs each script of testdata/script against an emulator of its own, which has no request limit. A script has
// these variables: OWLAT_URL and OWLAT_API_KEY; ALIAS, another URL of the same server;
// READ_KEY, a key that may only read, WRITE_KEY, one that may not; UNSUBSCRIBE_SECRET, which signs its links; NEWS and OFFERS, the ids of topics
// without double opt-in, CONFIRM, one with it; PASSWORD. Beside testscript's own commands it has those in storyCommands.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		Setup:              func(env *testscript.Env) error { return errors.Join(setupStory(env), inProgram(env)) },
		Cmds:               storyCommands,
		Condition:          func(word string) (bool, error) { return false, known(word) },
		RequireUniqueNames: true,
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// known returns an error for a condition other than postgres: the ledger is in PostgreSQL.
func known(condition string) error {
	if condition != "postgres" {
		return fmt.Errorf("there is no condition %q", condition)
	}
	return nil
}

func setupStory(env *testscript.Env) error {
	s := &story{server: &owlattest.Server{NoLimit: true, BasePath: "/owlat", UnsubscribeSecret: linkSecret}, names: make(map[string]string)}
	s.key = s.server.AddKey()
	listener := httptest.NewServer(s.server)
	env.Defer(func() {
		listener.Close()
		_ = s.server.Close()
	})
	env.Values[storyKey{}] = s
	for name, doubleOptIn := range map[string]bool{"NEWS": false, "OFFERS": false, "CONFIRM": true} {
		id := s.server.AddTopic(strings.ToLower(name), doubleOptIn)
		s.names[id] = name
		env.Setenv(name, id)
	}
	s.names[listener.URL+"/owlat"] = "URL"
	env.Setenv("OWLAT_URL", listener.URL+"/owlat")
	env.Setenv("ALIAS", strings.Replace(listener.URL, "127.0.0.1", "localhost", 1)+"/owlat")
	env.Setenv("OWLAT_API_KEY", s.key)
	env.Setenv("READ_KEY", s.server.AddKey(owlattest.ScopeContactsRead))
	env.Setenv("WRITE_KEY", s.server.AddKey(owlattest.ScopeContactsWrite, owlattest.ScopeTopicsWrite))
	env.Setenv("UNSUBSCRIBE_SECRET", linkSecret)
	env.Setenv("PASSWORD", dsnPassword)
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", soonDone)
	return nil
}

var storyCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// unended FILE takes the end off the last line of a file, as if writing it broke off.
	"unended": func(ts *testscript.TestScript, _ bool, args []string) {
		for _, name := range args {
			text := ts.ReadFile(name)
			ts.Check(os.WriteFile(ts.MkAbs(name), []byte(strings.TrimSuffix(text, "\n")), 0o600))
		}
	},
	// cli CODE ARGS... runs owlat-sync, wants that exit code, and leaves what it printed in the files out and err, in
	// which what differs from run to run is replaced by words. It fails when a secret is printed.
	"cli": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 {
			ts.Fatalf("usage: cli CODE ARGS...")
		}
		s := ts.Value(storyKey{}).(*story)
		err := ts.Exec("owlat-sync", args[1:]...)
		out, errOut := ts.ReadFile("stdout"), ts.ReadFile("stderr")
		for _, secret := range []string{s.key, ts.Getenv("READ_KEY"), ts.Getenv("WRITE_KEY"), dsnPassword, linkSecret} {
			if strings.Contains(out+errOut, secret) {
				ts.Fatalf("a secret was printed")
			}
		}
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else if err != nil {
			ts.Fatalf("%v", err)
		}
		if want := args[0]; strconv.Itoa(code) != want {
			ts.Fatalf("exit code %d, want %s", code, want)
		}
		work := ts.Getenv("WORK")
		ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(s.normal(out, work)), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(s.normal(errOut, work)), 0o600))
	},
	// contacts FILE writes the live contacts, oldest first: address, names, topics, and "opted out".
	"contacts": func(ts *testscript.TestScript, neg bool, args []string) {
		s := ts.Value(storyKey{}).(*story)
		var b strings.Builder
		for _, c := range s.server.Contacts() {
			topics := make([]string, len(c.Topics))
			for i, id := range c.Topics {
				topics[i] = s.names[id]
			}
			slices.Sort(topics)
			fmt.Fprintf(&b, "%s|%s|%s|%s", c.Email, c.FirstName, c.LastName, strings.Join(topics, ","))
			if c.Unsubscribed {
				b.WriteString("|opted out")
			}
			b.WriteByte('\n')
		}
		lines := strings.SplitAfter(b.String(), "\n")
		slices.Sort(lines) // several are created at once: their order is of no account
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
	},
	// writes N wants that many write requests since the last call, refused ones included.
	"writes": func(ts *testscript.TestScript, neg bool, args []string) {
		s := ts.Value(storyKey{}).(*story)
		now := s.server.Stats().Writes
		if got := strconv.Itoa(now - s.writes); got != args[0] {
			ts.Fatalf("%s write requests, want %s", got, args[0])
		}
		s.writes = now
	},
	// answers N METHOD ROUTE wants that many requests that were answered with 200 or 201, from the story's beginning.
	"answers": func(ts *testscript.TestScript, neg bool, args []string) {
		s := ts.Value(storyKey{}).(*story)
		got := 0
		for _, r := range s.server.Stats().Requests {
			if r.Method == args[1] && r.Route == args[2] && r.Status < 300 {
				got += r.Count
			}
		}
		if strconv.Itoa(got) != args[0] {
			ts.Fatalf("%d answers to %s %s, want %s", got, args[1], args[2], args[0])
		}
	},
	// owlat add EMAIL [FIRST [LAST]] | name EMAIL FIRST | unsubscribe EMAIL [TOPIC] | add-topic NAME | delete-topic TOPIC | erase EMAIL |
	// import FILE does in Owlat what a person or a dashboard does; owlat fault KIND [METHOD [STATUS [ROUTE]]] and owlat heal make the server fail and end it.
	"owlat": func(ts *testscript.TestScript, neg bool, args []string) {
		server := ts.Value(storyKey{}).(*story).server
		at := func(i int) string {
			if i < len(args) {
				return args[i]
			}
			return ""
		}
		switch args[0] {
		case "add":
			_, err := server.AddContact(owlattest.ContactState{Email: at(1), FirstName: at(2), LastName: at(3)})
			ts.Check(err)
		case "name":
			client, err := owlat.NewClient("https://owlat.example/owlat", ts.Value(storyKey{}).(*story).key, owlat.WithTransport(server.Transport()))
			ts.Check(err)
			_, err = client.Contacts.Update(context.Background(), at(1), owlat.UpdateContactRequest{FirstName: new(at(2))})
			ts.Check(err)
		case "unsubscribe":
			ts.Check(server.Unsubscribe(at(1), at(2)))
		case "add-topic":
			server.AddTopic(at(1), false)
		case "delete-topic":
			ts.Check(server.DeleteTopic(at(1)))
		case "import":
			ts.Check(importFile(ts.Value(storyKey{}).(*story), ts.MkAbs(at(1))))
		case "erase":
			ts.Check(server.SoftDelete(at(1)))
		case "fault":
			status, _ := strconv.Atoi(at(3))
			ts.Check(server.InjectFaults(owlattest.Fault{Kind: owlattest.FaultKind(at(1)), Method: at(2), Status: status, Route: at(4)}))
		case "heal":
			server.ClearFaults()
		default:
			ts.Fatalf("owlat cannot %s", args[0])
		}
	},
	// hold FILE takes the ledger as a run of another process does, until the script ends.
	"hold": func(ts *testscript.TestScript, neg bool, args []string) {
		l, err := ts.Value(storyKey{}).(*story).open(ts.MkAbs(args[0]))
		ts.Check(err)
		ts.Defer(func() { _ = l.Close() })
		_, err = l.Acquire(context.Background(), ledger.Claim{Purpose: "run of sync \"users\""})
		ts.Check(err)
	},
	// hears FILE EVENT DATA takes a webhook into a ledger, for the write-back "unsub".
	"hears": func(ts *testscript.TestScript, neg bool, args []string) { hears(ts, args[0], args[1], args[2]) },
	// gives-up FILE REASON notes that the oldest delivery of each person to the write-back "unsub" is given up.
	"gives-up": func(ts *testscript.TestScript, neg bool, args []string) {
		l, err := ts.Value(storyKey{}).(*story).open(ts.MkAbs(args[0]))
		ts.Check(err)
		defer l.Close()
		due, err := l.DueDeliveries(context.Background(), "unsub", time.Now(), 100)
		ts.Check(err)
		for _, d := range due {
			ts.Check(l.Undelivered(context.Background(), d.ID, args[1], true, time.Time{}))
		}
	},
	// sql FILE STATEMENTS... makes or changes a SQLite database.
	"sql": func(ts *testscript.TestScript, neg bool, args []string) {
		db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
		ts.Check(err)
		defer db.Close()
		for _, statement := range args[1:] {
			_, err := db.Exec(statement)
			ts.Check(err)
		}
	},
}

// importFile does what the importer of Owlat's dashboard does with a file: it makes the contacts that are not there, and puts all on their topics.
func importFile(s *story, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return err
	}
	client, err := owlat.NewClient("https://owlat.example/owlat", s.key, owlat.WithTransport(s.server.Transport()))
	if err != nil {
		return err
	}
	topic := slices.Index(lines[0], "Topic")
	for _, line := range lines[1:] {
		_, _ = s.server.AddContact(owlattest.ContactState{Email: line[0], FirstName: line[1], LastName: line[2]}) // it may be there
		for name := range strings.SplitSeq(line[topic], ", ") {
			for _, t := range s.server.Topics() {
				if name != t.Name && name != t.ID {
					continue
				}
				if _, err := client.Topics.Add(context.Background(), t.ID, owlat.AddMemberRequest{Email: line[0]}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hears delivers a webhook to a receiver before the ledger in the file.
func hears(ts *testscript.TestScript, file, event, data string) {
	const secret = "whsec_0123456789"
	l, err := ts.Value(storyKey{}).(*story).open(ts.MkAbs(file))
	ts.Check(err)
	defer l.Close()
	r, err := feedback.NewReceiver(l, feedback.Options{
		Secrets: []string{secret}, Routes: []feedback.Route{{Target: "unsub", On: []string{owlat.WebhookTopicUnsubscribed}}},
	})
	ts.Check(err)
	body := fmt.Sprintf(`{"event":%q,"timestamp":%q,"data":%s}`, event, time.Now().UTC().Format(time.RFC3339Nano), data)
	request := httptest.NewRequest("POST", "/webhooks/owlat", strings.NewReader(body))
	request.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), []byte(body))
	answer := httptest.NewRecorder()
	if r.ServeHTTP(answer, request); answer.Code != 204 {
		ts.Fatalf("the webhook was answered %d", answer.Code)
	}
}

var (
	takes   = regexp.MustCompile(`(about |under |<)?\b(\d+h\d\dm|\d+m\d\ds|\d+s)\b|"seconds":[0-9.e-]+`)
	holders = regexp.MustCompile(`by process \d+ on \S+ since`)
	users   = regexp.MustCompile(`"who":"[^"]+"`)
	stamps  = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.0-9]*Z?`)
	ids     = regexp.MustCompile(`\b[a-z0-9]{32}\b`)
	took    = regexp.MustCompile(`WHEN +TIME( +(?:ok|held|failed rows) )`)
	columns = regexp.MustCompile(`(?m)^time +TIME((?: +TIME)*)$`)
)

// normal replaces what differs from run to run.
func (s *story) normal(text, work string) string {
	if s.ledger != "" {
		text = strings.ReplaceAll(text, config.Ledger{DSN: config.Secret(s.ledger)}.String(), "WORK/owlat-sync.db")
		text = strings.ReplaceAll(text, "  database: ", "  file: ")
		text = strings.ReplaceAll(text, `"subject":"database"`, `"subject":"file"`)
		text = strings.NewReplacer("at 970 a second", "at 1000 a second", "at 9.7 a second", "at 10 a second").Replace(text) // a part of the budget is left to whoever has not the lock
	}
	for real, name := range s.names {
		text = strings.ReplaceAll(text, real, name)
	}
	text = strings.ReplaceAll(text, filepath.Clean(work), "WORK")
	text = holders.ReplaceAllString(text, "by process PID on HOST since")
	text = users.ReplaceAllString(text, `"who":"USER"`)
	text = stamps.ReplaceAllString(text, "WHEN")
	text = takes.ReplaceAllStringFunc(text, func(m string) string {
		if strings.HasPrefix(m, `"`) {
			return `"seconds":TIME`
		}
		return "TIME"
	})
	text = columns.ReplaceAllString(text, "time TIME$1")
	text = took.ReplaceAllString(text, "WHEN     TIME$1")
	return ids.ReplaceAllString(text, "ID")
}
