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

	"/owlat": {
		"/owlat/internal/clock", "/owlat/internal/gentle", "/owlat/internal/keyring", "/owlat/internal/origin", "/owlat/internal/pace", "/owlat/internal/payload", "/owlat/internal/preference", "/owlat/internal/queue",
		"/owlat/internal/signature", "/owlat/internal/token", "/owlat/internal/wait", "/owlat/internal/wire",
	},
	"/owlat/internal/clock":      {},
	"/owlat/internal/gentle":     {"/owlat/internal/pace", "/owlat/internal/wait"},
	"/owlat/internal/keyring":    {},
	"/owlat/internal/origin":     {},
	"/owlat/internal/pace":       {},
	"/owlat/internal/payload":    {},
	"/owlat/internal/preference": {"/owlat/internal/wire"},
	"/owlat/internal/queue":      {"/owlat/internal/pace", "/owlat/internal/wait"},
	"/owlat/internal/signature":  {},
	"/owlat/internal/token":      {},
	"/owlat/internal/wait":       {},
	"/owlat/internal/wire":       {},

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

	"/ledger":                                {"/", "github.com/zeebo/xxh3"},
	"/ledger/sqlite":                         {"/", "/ledger", "/ledger/sqlite/internal/age", "/ledger/sqlite/internal/auditrow", "/ledger/sqlite/internal/dbfile", "/ledger/internal/entry", "/ledger/sqlite/internal/erase", "/ledger/sqlite/internal/heard", "/ledger/internal/intern", "/ledger/internal/runform", "/ledger/internal/waiting", "/ledger/sqlite/internal/pack"},
	"/ledger/internal/entry":                 {"/", "/ledger"},
	"/ledger/sqlite/internal/auditrow":       {"/ledger", "/ledger/internal/entry", "/ledger/sqlite/internal/dbfile"},
	"/ledger/sqlite/internal/pack":           {"/ledger", "/ledger/sqlite/internal/dbfile", "/ledger/internal/entry"},
	"/ledger/sqlite/internal/heard":          {"/ledger", "/ledger/sqlite/internal/dbfile", "/ledger/internal/entry", "/ledger/internal/person"},
	"/ledger/sqlite/internal/erase":          {"/", "/ledger", "/ledger/sqlite/internal/dbfile", "/ledger/internal/entry", "/ledger/sqlite/internal/heard", "/ledger/sqlite/internal/pack", "/ledger/internal/person"},
	"/ledger/internal/runform":               {"/ledger", "/ledger/internal/entry"},
	"/ledger/internal/waiting":               {},
	"/ledger/internal/intern":                {},
	"/ledger/sqlite/internal/age":            {},
	"/ledger/internal/person":                {"/", "/ledger"},
	"/ledger/sqlite/internal/dbfile":         {"/ledger", "/ledger/sqlite/internal/age", "github.com/gofrs/flock", "github.com/pressly/goose/v3"},
	"/ledger/postgres":                       {"/", "/ledger", "/ledger/internal/entry", "/ledger/internal/runform", "/ledger/internal/waiting", "/ledger/postgres/internal/auditrow", "/ledger/postgres/internal/change", "/ledger/postgres/internal/clock", "/ledger/postgres/internal/entries", "/ledger/postgres/internal/entryrow", "/ledger/postgres/internal/erase", "/ledger/postgres/internal/heard", "/ledger/postgres/internal/historyrow", "/ledger/postgres/internal/lease", "/ledger/postgres/internal/load", "/ledger/postgres/internal/pgrow", "/ledger/postgres/internal/prune", "/ledger/postgres/internal/runrow", "/ledger/postgres/internal/server", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/auditrow":     {"/ledger", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/historyrow":   {"/ledger", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/prune":        {"/ledger/postgres/internal/auditrow", "/ledger/postgres/internal/heard", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/server":       {"/ledger", "github.com/jackc/pgx/v5", "github.com/jackc/puddle/v2", "github.com/riverqueue/river", "golang.org/x/sys"},
	"/ledger/postgres/internal/lease":        {"/ledger", "/ledger/postgres/internal/server", "github.com/jackc/pgx/v5", "golang.org/x/sys"},
	"/ledger/postgres/internal/clock":        {"/ledger/postgres/internal/lease", "/ledger/postgres/internal/server", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/change":       {"/ledger", "/ledger/internal/entry", "/ledger/postgres/internal/entryrow", "/ledger/postgres/internal/server", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/entries":      {"/ledger", "/ledger/internal/entry", "/ledger/postgres/internal/change", "/ledger/postgres/internal/entryrow", "/ledger/postgres/internal/server", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/pgrow":        {"github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/entryrow":     {"/", "/ledger", "/ledger/internal/entry", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/runrow":       {"/ledger", "/ledger/internal/entry", "/ledger/internal/runform", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/heard":        {"/ledger", "/ledger/internal/person", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/erase":        {"/", "/ledger", "/ledger/internal/entry", "/ledger/internal/person", "/ledger/postgres/internal/heard", "/ledger/postgres/internal/pgrow", "github.com/jackc/pgx/v5"},
	"/ledger/postgres/internal/load":         {"/ledger/internal/runform", "/ledger", "/ledger/internal/entry", "/ledger/postgres/internal/auditrow", "/ledger/postgres/internal/entryrow", "/ledger/postgres/internal/heard", "/ledger/postgres/internal/pgrow", "/ledger/postgres/internal/runrow", "github.com/jackc/pgx/v5"},
	"/ledger/transfer":                       {"/", "/ledger"},
	"/ledger/memory":                         {"/", "/ledger"},
	"/ledger/ledgertest":                     {"/", "/ledger", "/ledger/ledgertest/internal/departures", "/ledger/ledgertest/internal/kit", "/ledger/ledgertest/internal/service", "github.com/google/go-cmp"},
	"/ledger/ledgertest/internal/service":    {"/", "/ledger", "/ledger/ledgertest/internal/kit"},
	"/ledger/ledgertest/internal/kit":        {"/", "/ledger", "github.com/google/go-cmp"},
	"/ledger/ledgertest/internal/departures": {"/ledger", "/ledger/ledgertest/internal/kit"},

	// The engine: words below, then what decides, asks and sends, and at the top what its users call. Planning and applying know
	// nothing of each other, and applying knows no policy.
	"/reconcile/policy":   {"/", "/ledger"},
	"/reconcile/step":     {"/", "/ledger"},
	"/reconcile/own":      {"/", "/ledger"},
	"/reconcile/scratch":  {"github.com/klauspost/compress"},
	"/reconcile/kept":     {"/", "/ledger", "/reconcile/step"},
	"/reconcile/progress": {"/", "/ledger", "/reconcile/step"},
	"/reconcile/consent":  {"/", "/ledger", "/reconcile/policy"},
	"/reconcile/remote":   {"/", "/ledger", "/owlat", "/reconcile/consent", "/reconcile/own", "/reconcile/step"},
	"/reconcile/rounds":   {"/", "/ledger", "/owlat", "/reconcile/bar", "/reconcile/consent", "/reconcile/remote"},
	"/reconcile/scan": {
		"/", "/ledger", "/reconcile/policy", "/reconcile/progress", "/reconcile/scratch", "/reconcile/step", "github.com/zeebo/xxh3",
	},
	"/reconcile/ask": {"/", "/ledger", "/owlat", "/reconcile/own", "/reconcile/remote", "/reconcile/step"},
	"/reconcile/plan": {
		"/", "/ledger", "/owlat", "/reconcile/ask", "/reconcile/consent", "/reconcile/own", "/reconcile/policy", "/reconcile/progress", "/reconcile/remote",
		"/reconcile/scan", "/reconcile/scratch", "/reconcile/step",
	},
	"/reconcile/reading": {"/", "/ledger", "/reconcile/policy", "/reconcile/scan", "github.com/zeebo/xxh3"},
	"/reconcile/mark":    {"/owlat", "/reconcile/remote"},
	"/reconcile/clock":   {"/ledger", "/owlat", "/reconcile/mark", "/reconcile/remote"},
	"/reconcile/taken":   {"/ledger", "/reconcile/remote", "/reconcile/step"},
	"/reconcile/apply": {
		"/", "/ledger", "/owlat", "/reconcile/clock", "/reconcile/consent", "/reconcile/mark", "/reconcile/own", "/reconcile/progress", "/reconcile/remote",
		"/reconcile/step", "/reconcile/taken",
	},
	"/reconcile/members": {"/", "/ledger", "/owlat", "/reconcile/consent", "/reconcile/policy", "/reconcile/remote"},
	"/reconcile/compare": {
		"/", "/ledger", "/owlat", "/reconcile/members", "/reconcile/own", "/reconcile/progress", "/reconcile/remote", "/reconcile/step",
	},
	"/reconcile/handout": {"/", "/ledger", "/reconcile/step"},
	"/reconcile/bar":     {"/", "/ledger", "/owlat", "/reconcile/consent", "/reconcile/remote"},
	"/reconcile": {
		"/", "/ledger", "/owlat", "/reconcile/apply", "/reconcile/ask", "/reconcile/compare", "/reconcile/consent", "/reconcile/handout", "/reconcile/kept", "/reconcile/members", "/reconcile/plan", "/reconcile/policy", "/reconcile/progress",
		"/reconcile/reading", "/reconcile/remote", "/reconcile/rounds", "/reconcile/scan", "/reconcile/scratch", "/reconcile/step",
	},

	"/source": {
		"/", "/source/internal/ahead", "/source/internal/cell", "/source/internal/delimited", "/source/internal/dialects", "/source/internal/jsonline", "/source/internal/near",
		"/source/internal/pgask", "/source/internal/pgfault", "/source/internal/pglink", "/source/internal/refine", "/source/internal/sqlrows", "/internal/statement", "/source/internal/text", "/source/internal/wrap", "github.com/jackc/pgx/v5",
	},
	"/source/internal/ahead":     {},
	"/source/internal/cell":      {},
	"/source/internal/delimited": {"/source/internal/ahead", "/source/internal/cell", "/source/internal/text"},
	"/source/internal/text":      {"golang.org/x/text"},
	"/source/internal/refine":    {"/", "golang.org/x/text"},
	"/source/internal/sqlrows":   {"/source/internal/ahead", "/source/internal/cell"},
	"/source/internal/dialects":  {"/source/internal/cell", "github.com/jackc/pgx/v5/pgtype"},
	"/source/internal/near":      {},
	"/source/internal/wrap":      {"/source/internal/cell", "/source/internal/pgask", "/internal/statement"},
	"/source/internal/pgask":     {"github.com/jackc/pgx/v5"},
	"/source/internal/pglink":    {"/source/internal/pgfault", "github.com/jackc/pgx/v5"},
	"/source/internal/pgfault":   {"/internal/statement", "github.com/jackc/pgx/v5"},
	"/source/notify":             {"/source/internal/pgask", "/source/internal/pgfault", "/source/internal/pglink", "github.com/jackc/pgx/v5"},
	"/source/xlsx":               {"/source"},
	"/source/mongo":              {"/source", "go.mongodb.org/mongo-driver/v2"},
	"/source/sourcetest":         {"/", "/source", "github.com/google/go-cmp"},

	"/internal": {all},
	"/cmd":      {all},
	"/examples": {all},
	"/tests":    {all},

	// The rooms of the command line: groups of commands, which know nothing of each other, stand on what all commands share.
	"/cmd/owlat-sync/internal/program": {
		"/ledger", "/ledger/postgres", "/owlat", "/reconcile", "/reconcile/rounds", "/internal/cluster", "/internal/config", "/internal/console", "/internal/errand", "/internal/exitcode", "/internal/problem", "/internal/render", "/internal/setup", "/internal/words",
		"github.com/spf13/cobra",
	},
	"/cmd/owlat-sync/internal/services": {
		"/", "/ledger", "/owlat", "/reconcile/bar", "/cmd/owlat-sync/internal/program", "/internal/access", "/internal/account", "/internal/alert", "/internal/caller", "/internal/config", "/internal/console", "/internal/exitcode",
		"/internal/problem", "/internal/render", "/internal/serve", "/internal/session", "/internal/setup", "/internal/telemetry", "/internal/words", "github.com/spf13/cobra",
	},
	"/cmd/owlat-sync/internal/contacts": {
		"/", "/ledger", "/owlat", "/reconcile", "/reconcile/bar", "/reconcile/progress", "/cmd/owlat-sync/internal/program", "/internal/config", "/internal/exitcode", "/internal/list",
		"/internal/listfile", "/internal/problem", "/internal/render", "/internal/setup", "github.com/spf13/cobra",
	},

	// The program: words and errors below, then what is open, what is found out with it, and how that is shown. What shows
	// opens nothing, and what opens neither shows nor asks, so that a service can stand on it as well as a command.
	"/internal/feedback":   {"/", "/ledger", "/owlat", "/reconcile", "/reconcile/bar", "golang.org/x/sync"},
	"/internal/writeback":  {"/ledger", "/internal/hooksign", "/internal/sourcedsn", "/internal/statement", "github.com/jackc/pgx/v5"},
	"/internal/errand":     {"/owlat"},
	"/internal/words":      {},
	"/internal/topics":     {"/owlat", "/internal/words", "github.com/agnivade/levenshtein"},
	"/internal/hooksign":   {},
	"/internal/statement":  {}, // also for /source
	"/internal/exitcode":   {"/owlat", "/ledger", "/reconcile", "/source"},
	"/internal/problem":    {"/internal/exitcode"},
	"/internal/csvout":     {},
	"/internal/importfile": {"/", "/internal/csvout", "/reconcile"},
	"/internal/listfile":   {"/internal/csvout", "/internal/problem"},
	"/internal/list":       {"/", "/owlat", "/ledger", "/reconcile", "/reconcile/bar", "/reconcile/remote", "/source", "/internal/config", "/internal/initialise", "/internal/inspect", "/internal/problem", "/internal/propose", "/internal/setup", "/internal/sourcedsn", "github.com/gofrs/flock"},
	"/internal/console":    {"/reconcile/progress", "/internal/exitcode", "/internal/problem", "/internal/bar", "/internal/words", "golang.org/x/term"},
	"/internal/schedule":   {"/ledger", "github.com/robfig/cron/v3"},
	"/internal/events":     {"/", "/ledger", "/reconcile/progress"},
	"/internal/caller":     {"/", "/ledger", "/internal/config", "/internal/exitcode", "/internal/problem"},
	"/internal/home": {
		"/", "/ledger", "/owlat", "/reconcile", "/reconcile/progress", "/reconcile/rounds", "/internal/alert", "/internal/api", "/internal/config", "/internal/errand", "/internal/events",
		"/internal/exitcode", "/internal/feedback", "/internal/problem", "/internal/schedule", "/internal/setup", "/internal/standing",
		"/internal/seats", "/internal/telemetry", "/internal/turns", "/internal/vitals", "/internal/wake", "/internal/writeback", "/internal/ways",
	},
	"/internal/serve": {
		"/ledger", "/ledger/postgres", "/internal/access", "/internal/alert", "/internal/api", "/internal/cluster", "/internal/cluster/roll", "/internal/config", "/internal/events", "/internal/home", "/internal/page", "/internal/problem",
		"/internal/seats", "/internal/session", "/internal/session/shelf", "/internal/setup", "/internal/sourcedsn", "/internal/telemetry", "/internal/turns", "/internal/vitals", "github.com/gofrs/flock", "golang.org/x/sys/unix",
	},
	"/internal/seats":              {},
	"/internal/turns":              {"/", "/ledger", "/reconcile", "/internal/events"},
	"/internal/cluster":            {"/", "/ledger", "/reconcile", "/reconcile/progress", "/internal/cluster/crew", "/internal/events", "/internal/schedule", "/internal/turns", "github.com/jackc/pgx/v5", "github.com/riverqueue/river"},
	"/internal/cluster/crew":       {},
	"/internal/cluster/roll":       {"github.com/jackc/pgx/v5"},
	"/internal/setup":              {"/", "/owlat", "/internal/errand", "/internal/feedback", "/ledger", "/ledger/postgres", "/ledger/sqlite", "/ledger/transfer", "/reconcile", "/reconcile/progress", "/reconcile/rounds", "/source", "/source/mongo", "/source/xlsx", "/internal/config", "/internal/exitcode", "/internal/problem", "/internal/sourcedsn", "/internal/topics", "/internal/words", "/internal/writeback", "go.mongodb.org/mongo-driver/v2"},
	"/internal/wake":               {"/", "/internal/config", "/internal/turns", "/source/notify"},
	"/internal/ways":               {"/internal/config"},
	"/internal/standing":           {"/ledger", "/reconcile", "/internal/config"},
	"/internal/vitals":             {"/ledger", "/internal/config"},
	"/internal/telemetry":          {"/", "/ledger", "/owlat", "/reconcile/progress", "/internal/config", "/internal/vitals", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel"},
	"/internal/alert":              {"/", "/ledger", "/owlat", "/internal/config", "/internal/hooksign", "/internal/vitals", "github.com/wneessen/go-mail"},
	"/internal/explain":            {"/", "/owlat", "/ledger", "/reconcile", "/reconcile/bar", "/reconcile/members", "/reconcile/own", "/reconcile/progress", "/internal/config", "/internal/setup", "/internal/ways"},
	"/internal/garbled":            {"golang.org/x/text"},
	"/internal/checkup":            {"/", "/owlat", "/ledger", "/reconcile", "/reconcile/scan", "/source", "/internal/config", "/internal/exitcode", "/internal/feedback", "/internal/garbled", "/internal/problem", "/internal/setup", "/internal/topics", "/internal/sourcedsn", "/internal/words", "/internal/writeback"},
	"/internal/render":             {"/", "/internal/list", "/ledger", "/owlat", "/reconcile", "/reconcile/progress", "/reconcile/rounds", "/internal/checkup", "/internal/config", "/internal/csvout", "/internal/problem", "/internal/bar", "/internal/standing", "/internal/words"},
	"/internal/render/differences": {"/", "/ledger", "/reconcile", "/reconcile/members", "/internal/bar", "/internal/render", "/internal/words"},
	"/internal/render/tale":        {"/", "/ledger", "/owlat", "/reconcile", "/reconcile/members", "/internal/config", "/internal/explain", "/internal/render", "/internal/ways", "/internal/words"},
	"/internal/initialise":         {"/", "/owlat", "/source", "/source/xlsx", "/internal/config", "/internal/console", "/internal/inspect", "/internal/propose", "/internal/problem", "/internal/setup", "/internal/sourcedsn", "/internal/topics", "/internal/words", "github.com/jackc/pgx/v5"},
	"/internal/propose":            {"/", "/internal/garbled", "/internal/inspect", "go.yaml.in/yaml/v4"},
	"/internal/sandbox":            {"/owlat/owlattest", "/internal/problem", "github.com/gofrs/flock"},
	"/internal/demo":               {"/", "/ledger", "/owlat/owlattest", "/source", "/internal/config", "/internal/initialise", "/internal/propose", "/internal/setup", "/internal/sourcedsn"},

	// The configuration: what its file says, and where.
	"/internal/config/internal/yamltree": {"/internal/config/internal/mistake", "go.yaml.in/yaml/v4"},

	// The page: what is plotted, and how that is drawn.
	"/internal/page/chart": {"github.com/dustin/go-humanize"},
	"/internal/page/fed":   {"/", "/internal/config"},
	"/internal/page/rowlist": {
		"/", "/internal/access", "/internal/api", "/internal/csvout", "/internal/page/fed", "/internal/page/telling", "/ledger", "/reconcile/kept", "/reconcile/step",
	},
	"/internal/page/figures": {"/", "/ledger", "/internal/page/chart"},
	"/internal/page/static":  {"/internal/page/chart"},
	"/internal/page/warm":    {"/internal/api", "/internal/page/figures"},
	"/internal/page/begin":   {"/internal/page/telling", "/internal/words"},
	"/internal/page/glance":  {"/", "/ledger", "/internal/api", "/internal/config", "/internal/page/fed", "/internal/page/telling", "/internal/words"},
	"/internal/page/decided": {"/ledger"},

	// What the page says of a person, and of rows that fail.
	"/internal/page/story":    {"/", "/ledger", "/owlat", "/reconcile", "/reconcile/bar", "/reconcile/members", "/reconcile/scan", "/internal/config", "/internal/explain", "/internal/page/fed", "/internal/ways"},
	"/internal/page/person":   {"/", "/ledger", "/internal/config", "/internal/explain", "/internal/page/story", "/internal/ways"},
	"/internal/page/heard":    {"/ledger", "/owlat", "/reconcile/bar", "/internal/config", "/internal/page/story"},
	"/internal/page/troubles": {"/", "/ledger", "/reconcile", "/internal/page/story"},

	// The way in to a service.
	"/internal/access":          {"/internal/config", "golang.org/x/net/netutil", "golang.org/x/time/rate"},
	"/internal/access/inmemory": {},
	"/internal/api": {
		"/", "/ledger", "/owlat", "/reconcile", "/reconcile/progress", "/reconcile/step", "/internal/access", "/internal/config", "/internal/events", "/internal/problem",
		"/internal/standing", "/internal/turns", "/internal/words", "/internal/ways",
	},
	"/internal/account":       {"golang.org/x/crypto/argon2"},
	"/internal/session":       {"/internal/access", "/internal/account", "/internal/config"},
	"/internal/session/shelf": {"/internal/session", "github.com/jackc/pgx/v5"},
	"/internal/page/telling":  {"/", "/internal/api", "/internal/bar", "/internal/events", "/internal/standing", "/internal/words", "/ledger", "/reconcile"},
	"/internal/page": {
		"/", "/internal/access", "/internal/api", "/internal/cluster/roll", "/internal/config", "/internal/csvout", "/internal/page/fed", "/internal/page/rowlist", "/internal/page/telling", "/internal/page/figures", "/internal/page/static", "/internal/page/begin", "/internal/page/glance", "/internal/page/decided",
		"/internal/session", "/internal/standing", "/internal/turns", "/ledger", "/reconcile", "/reconcile/bar", "/reconcile/step",
		"/internal/explain", "/internal/page/heard", "/internal/page/person", "/internal/page/story", "/internal/page/troubles", "/internal/page/warm", "/internal/words", "/owlat",
	},
}

// onlyFor names what just some folders may import, whatever the table says.
var onlyFor = map[string][]string{
	"/cmd": {"/cmd"},
	// Flags are the commands' alone: those of package main and of its rooms.
	"github.com/spf13/cobra": {"/cmd"},
	"github.com/spf13/pflag": {"/cmd"},
	// What spreadsheets open is written in one place, so that no cell is run as a formula.
	"encoding/csv": {"/internal/csvout", "/internal/inspect", "/internal/bench", "/source"},
	// What drives a browser is the tests' alone.
	"github.com/chromedp": {"/internal/testbrowser"},
	// Which kinds of ledger there are, the program knows in one place.
	"/ledger/sqlite": {"/ledger/sqlite", "/internal/setup", "/internal/bench", "/examples"},
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
		{"/internal/setup", "owlatsync/cmd/owlat-sync", false},
		{"/internal/setup", "owlatsync/internal/config", true},
		{"/internal/setup", "owlatsync/internal/render", false},
		{"/internal/setup", "owlatsync/internal/console", false},
		{"/internal/setup", "owlatsync/ledger/sqlite", true},
		{"/internal/setup", "modernc.org/sqlite", false},
		{"/internal/setup", "github.com/spf13/cobra", false},
		{"/internal/render", "owlatsync/internal/explain", false},
		{"/internal/render/tale", "owlatsync/internal/explain", true},
		{"/internal/render", "owlatsync/internal/setup", false},
		{"/internal/render", "owlatsync/internal/console", false},
		{"/internal/standing", "owlatsync/ledger/sqlite", false},
		{"/internal/bar", "github.com/spf13/cobra", false},
		{"/internal/words", "owlatsync/ledger", false},
		{"/cmd/owlat-sync", "owlatsync/ledger/sqlite", false},
		{"/cmd/owlat-sync", "github.com/spf13/cobra", true},
		{"/internal/testdb", "github.com/go-sql-driver/mysql", true},
		{"/cmd/owlat-sync", "modernc.org/sqlite", true},
		{"/cmd/owlat-sync/internal/program", "modernc.org/sqlite", false},
		{"/cmd/owlat-sync/internal/program", "github.com/spf13/cobra", true},
		{"/cmd/owlat-sync/internal/program", "owlatsync/cmd/owlat-sync/internal/services", false},
		{"/cmd/owlat-sync/internal/services", "owlatsync/cmd/owlat-sync/internal/program", true},
		{"/cmd/owlat-sync/internal/services", "owlatsync/cmd/owlat-sync/internal/contacts", false},
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
		case entry.IsDir() && path.Dir(name) == "tests" && name != "tests/cluster": // a module of its own
			return fs.SkipDir
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
