package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger/transfer"
)

// badFlags are mistakes on the command line of every command.
func badFlags() []badInput {
	typed := func(name string, args ...string) badInput {
		return badInput{name: name, code: exitcode.Usage, args: args}
	}
	failing := func(name string, code exitcode.Code, args ...string) badInput {
		return badInput{name: name, code: code, args: args}
	}
	const topic, secret = "TOPIC", "hunter2topsecret"
	return []badInput{
		typed("an unknown command", "synchronize"),
		typed("a misspelt command", "rnu"),
		typed("an unknown flag", "run", "--force"),
		typed("a misspelt flag", "run", "--falures", "x"),
		typed("an argument for run", "run", "users"),
		typed("a flag without its value", "run", "--only"),
		typed("a sync that is not there", "run", "--sync", "poeple"),
		typed("a log level that is not there", "run", "--log-level", "loud"),
		typed("a limit of nothing", "run", "--limit", "0"),
		typed("a negative limit", "run", "--limit", "-5"),
		typed("a limit in words", "run", "--limit", "few"),
		typed("only nothing", "run", "--only", ""),
		failing("only a row that is not there", exitcode.Error, "run", "--sync", "users", "--only", "4711"),
		typed("a file for failures in no folder", "run", "--failures", "WORK/none/failures.csv"),
		typed("a folder for failures", "run", "--failures", "WORK"),
		typed("an argument for plan", "plan", "users"),
		typed("an argument for check", "check", "users"),
		typed("a negative number of rows to show", "check", "--rows", "-1"),
		typed("no run to show", "status", "--runs", "0"),
		typed("approve without a run", "approve"),
		typed("approve two runs", "approve", "1", "2"),
		typed("approve a word", "approve", "latest"),
		typed("approve a negative number", "approve", "--", "-1"),
		typed("approve a run that is not there", "approve", "4711"),
		typed("approve a run that is not held", "approve", "1"),
		typed("approve a run that there is not", "approve", "2"),
		typed("approve a run of another sync", "approve", "1", "--sync", "leads"),
		typed("retry without a key", "retry"),
		typed("retry a key and all", "retry", "1", "--all"),
		typed("retry an empty key", "retry", ""),
		failing("retry a row that does not fail", exitcode.Error, "retry", "1"),
		failing("retry rows that are not there", exitcode.Error, "retry", "8", "9"),
		typed("failures as CSV and JSON", "failures", "--csv", "-", "--json"),
		typed("failures in no folder", "failures", "--csv", "WORK/none/failures.csv"),
		typed("explain without a key", "explain"),
		typed("explain two keys", "explain", "1", "2"),
		typed("explain an empty key", "explain", " "),
		failing("explain a row that is not there", exitcode.Error, "explain", "4711", "--sync", "users"),
		failing("explain an address that is not there", exitcode.Error, "explain", "eve@example.com", "--sync", "users"),
		failing("explain offline what is not there", exitcode.Error, "explain", "4711", "--offline"),
		typed("repair unasked", "verify", "--repair"),
		typed("an argument for verify", "verify", "users"),
		typed("forget unasked", "ledger", "forget", "ann@example.com"),
		typed("forget no address", "ledger", "forget", "ann", "--yes"),
		typed("forget nobody", "ledger", "forget"),
		typed("an unknown command for the ledger", "ledger", "exprot"),
		typed("export over a file", "ledger", "export", "WORK/users.csv"),
		typed("export into no folder", "ledger", "export", "WORK/none/export.ndjson"),
		{name: "import over a ledger", code: exitcode.Usage, args: []string{"ledger", "import", "WORK/export.ndjson"}, setup: exported},
		typed("import nothing", "ledger", "import"),
		typed("import a file that is not there", "ledger", "import", "WORK/none.ndjson"),
		{name: "import what is no export", code: exitcode.Usage, remove: "owlat-sync.db", args: []string{"ledger", "import", "WORK/users.csv"}},
		{name: "import an empty file", code: exitcode.Usage, remove: "owlat-sync.db", args: []string{"ledger", "import", "-"}},
		{name: "import a part of an export", code: exitcode.Usage, remove: "owlat-sync.db", args: []string{"ledger", "import", "-"},
			stdin: `{"ledger":{"version":1,"time":"2026-01-01T00:00:00Z"}}` + "\n" + `{"sync":{"name":"users"}}` + "\n"},
		{name: "import the export of a newer version", code: exitcode.Usage, remove: "owlat-sync.db", args: []string{"ledger", "import", "-"},
			stdin: `{"ledger":{"version":99,"time":"2026-01-01T00:00:00Z"}}` + "\n"},
		{name: "retry without a ledger", code: exitcode.Error, remove: "owlat-sync.db", args: []string{"retry", "--all"}},
		{name: "approve without a ledger", code: exitcode.Usage, remove: "owlat-sync.db", args: []string{"approve", "1"}},
		{name: "export without a ledger", code: exitcode.Error, remove: "owlat-sync.db", args: []string{"ledger", "export"}},
		typed("upsert nobody", "upsert"),
		typed("upsert two", "upsert", "a@example.com", "b@example.com"),
		typed("upsert what is no address", "upsert", "eve.example.com"),
		typed("upsert a name that is too long", "upsert", "eve@example.com", "--first-name", strings.Repeat("e", 201)),
		typed("a topic without a contact", "topic", "add", topic),
		typed("a topic's name", "topic", "add", "news", "eve@example.com"),
		typed("a contact that is no address", "topic", "add", topic, "eve@example"),
		typed("an unknown command for topics", "topic", "list"),
		typed("init over a configuration", "init", "csv:WORK/users.csv"),
		typed("init without a DSN", "init", "--config", "WORK/new.yaml"),
		typed("init with an unknown scheme", "init", "--config", "WORK/new.yaml", "oracle://app:"+secret+"@db.example.com/app"),
		failing("init with a file that is not there", exitcode.Error, "init", "--config", "WORK/new.yaml", "csv:WORK/none.csv"),
		typed("init with a topic's name", "init", "--config", "WORK/new.yaml", "--topic", "news=news", "csv:WORK/users.csv"),
		typed("init with a column that is not there", "init", "--config", "WORK/new.yaml", "--topic", topic+"=offers", "csv:WORK/users.csv"),
		typed("init with a table that is not there", "init", "--config", "WORK/new.yaml", "--table", "people", "sqlite:WORK/app.db"),
		typed("init with a bad address of the deployment", "init", "--config", "WORK/new.yaml", "--url", "ftp://example.com", "csv:WORK/users.csv"),
		typed("a sandbox for everybody", "sandbox", "--listen", "0.0.0.0:0"),
		typed("a sandbox at no address", "sandbox", "--listen", "4010"),
		typed("a sandbox without requests", "sandbox", "--rate", "0"),
		typed("a sandbox without keys", "sandbox", "--keys", "0"),
		typed("a sandbox without a burst", "sandbox", "--burst", "0"),
		typed("an argument for schema", "schema", "users"),
		typed("an argument for version", "version", "1"),
		typed("an argument for demo", "demo", "fast"),
	}
}

// exported writes the ledger's export into the folder.
func exported(t *testing.T, dir string) {
	l, err := openLedger(t.Context(), filepath.Join(dir, "owlat-sync.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var export bytes.Buffer
	if err := transfer.Export(t.Context(), l, &export); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "export.ndjson"), export.String())
}
