package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/internal/sourcedsn"
	"owlatsync/reconcile"
)

// maxFile is the largest size, in bytes, of a file that can be a configuration.
const maxFile = 1 << 20

// ErrNoFile matches the error of Load for a file that does not exist.
var ErrNoFile = errors.New("there is no configuration file")

// Use is what a command needs from a configuration besides the ledger and the names of the syncs. What is not used may be missing
// or use a variable that is not set.
type Use uint8

const (
	UseKey     Use = 1 << iota // the API key; without it, Owlat.NoKey says what is wrong with it
	UseURL                     // the deployment
	UseSources                 // the DSN of every sync; without it, Target may be nil

	UseService // what "owlat-sync serve" needs besides; without it, Config.NoService says what is wrong with it

	UseLedger     Use = 0 // the ledger alone
	UseAll            = UseKey | UseURL | UseSources
	UseEverything     = UseAll | UseService
)

// LoadSet reads and checks the configuration file for this use. lookup returns the environment's variables. Mistakes in the file's
// contents are an *Error. A deployment of several whose own part is wrong is among the broken ones of the set.
func LoadSet(path string, use Use, lookup func(name string) (string, bool)) (*Set, error) {
	return load(path, use, "", lookup)
}

// LoadDeployment is LoadSet for one deployment, whose name may be empty if there is only one. Others may be wrong. Files of others
// are not read.
func LoadDeployment(path, name string, use Use, lookup func(name string) (string, bool)) (*Config, error) {
	set, err := load(path, use, name, lookup)
	if err != nil {
		return nil, err
	}
	return set.Deployment(name)
}

// Load is LoadDeployment for the only deployment.
func Load(path string, use Use, lookup func(name string) (string, bool)) (*Config, error) {
	return LoadDeployment(path, "", use, lookup)
}

func load(path string, use Use, only string, lookup func(name string) (string, bool)) (*Set, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s", ErrNoFile, path)
	}
	if err != nil {
		return nil, err
	}
	return parse(path, data, use, only, lookup)
}

// readFile reads a file of the configuration, at most one byte more than one can have.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the configuration file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	return data, nil
}

// ParseSet checks the whole configuration in data as if it had been read from the file at path.
func ParseSet(path string, data []byte, lookup func(name string) (string, bool)) (*Set, error) {
	return parse(path, data, UseEverything, "", lookup)
}

// Parse is ParseSet for the only deployment.
func Parse(path string, data []byte, lookup func(name string) (string, bool)) (*Config, error) {
	set, err := ParseSet(path, data, lookup)
	if err != nil {
		return nil, err
	}
	return set.Deployment("")
}

func parse(path string, data []byte, use Use, only string, lookup func(name string) (string, bool)) (*Set, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the configuration file: %w", err)
	}
	d := &decoder{problems: problems{file: path}, dir: filepath.Dir(abs), lookup: lookup, use: use}
	root, ok := d.read(data)
	if !ok {
		return nil, d.err()
	}
	file := sectionOf[written.File](d, root, "")
	if file.odd {
		return nil, d.err()
	}
	set := &Set{File: abs, Ledger: d.ledger(file.text("ledger"))}
	set.NoService = d.unlessUnused(UseService, func() {
		set.Service = serviceDecoder{d}.serve(sectionOf[written.Serve](d, file.child("serve"), "serve"))
	})
	if _, set.Several = root.Get("deployments"); set.Several {
		(&several{decoder: d, set: set, only: only}).read(file)
	} else {
		cfg := &Config{File: abs, Ledger: set.Ledger, Service: set.Service, NoService: set.NoService}
		d.deployment(file, cfg)
		set.Deployments = []*Config{cfg}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return set, nil
}

// deployment reads what one deployment has.
func (d *decoder) deployment(s section, cfg *Config) {
	cfg.Owlat = owlatDecoder{d}.owlat(sectionOf[written.Owlat](d, s.child("owlat"), setting(s.path, "owlat")))
	cfg.History = policyDecoder{d}.history(s.text("history_days"))
	cfg.Syncs = syncDecoder{d}.syncs(s)
	owlatDecoder{d}.nameless(s, cfg)
	cfg.Feedback = owlatDecoder{d}.feedback(s)
	serviceDecoder{d}.service(s, cfg)
}

// FromEnvironment returns a configuration without syncs and ledger, from OWLAT_URL and OWLAT_API_KEY alone.
func FromEnvironment(lookup func(name string) (string, bool)) (*Config, error) {
	d := &decoder{problems: problems{file: "environment"}, lookup: lookup, use: UseAll}
	cfg := &Config{Owlat: owlatDecoder{d}.owlat(section{d: d, node: &yamltree.Node{}, path: "owlat"})}
	if err := d.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// read reads the YAML; ok is false if it cannot be read at all.
func (d *decoder) read(data []byte) (root *yamltree.Node, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > maxFile:
		d.add(0, "", "is larger than 1 MiB and so no configuration file")
		return nil, false
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		d.add(0, "", "is UTF-16 text; save it as UTF-8")
		return nil, false
	case !utf8.Valid(data):
		d.add(lineOfInvalid(data), "", "holds bytes that are not UTF-8 text; save the file as UTF-8")
		return nil, false
	}
	root, err := yamltree.Parse(data)
	if e, bad := errors.AsType[*yamltree.SyntaxError](err); bad {
		d.add(e.Line, "", "%s", e.Message)
		return nil, false
	}
	if root == nil || root.Kind == yamltree.Null {
		d.add(0, "", "is empty; \"owlat-sync init DSN\" writes a configuration file")
		return nil, false
	}
	return root, true
}

func lineOfInvalid(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[n:]
	}
	return line
}

const maxSyncName = 64

var (
	syncName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	topicID  = regexp.MustCompile(`^[A-Za-z0-9_-]{10,}$`)
)

// ValidTopicID reports whether id has the form of an Owlat topic id.
func ValidTopicID(id string) bool { return topicID.MatchString(id) }

func (d syncDecoder) syncs(file section) []Sync {
	n, path := file.child("syncs"), setting(file.path, "syncs")
	if n == nil {
		d.add(max(file.at, 1), file.path, "%q is missing; it must name at least one source (\"owlat-sync init DSN\" writes an example)", "syncs")
		return nil
	}
	if n.Kind == yamltree.Mapping && len(n.Pairs) > 0 {
		syncs := make([]Sync, 0, len(n.Pairs))
		for _, p := range n.Pairs {
			syncs = append(syncs, d.sync(p, path))
		}
		return syncs
	}
	what := n.Kind.String()
	if n.Kind == yamltree.Mapping {
		what = "nothing"
	}
	d.add(n.Line, path, "must be a section with a key for each sync, its name, such as \"users:\", not %s", what)
	return nil
}

func (d syncDecoder) sync(p yamltree.Pair, within string) Sync {
	path := setting(within, p.Key)
	s := sectionOf[written.Sync](d.decoder, p.Value, path)
	s.node.Line = p.Line
	sync := Sync{Name: p.Key, Line: p.Line}
	if len(p.Key) > maxSyncName || !syncName.MatchString(p.Key) {
		d.add(p.Line, within, "%q cannot be the name of a sync: use letters, digits, \".\", \"_\" and \"-\", at most 64, and begin with a letter or digit", p.Key)
	}
	for _, v := range s.textOrList("key") {
		if slices.Contains(sync.Key, v.text) {
			v.refuse(d.decoder, "names the column %q twice", v.text)
		}
		sync.Key = append(sync.Key, v.text)
	}
	d.source(s, &sync)
	fieldsDecoder(d).fields(s, &sync)
	suppressedDecoder{d}.read(s, setting(path, "suppressed"), &sync)
	for i, item := range s.list("topics") {
		topicDecoder{d, fmt.Sprintf("%s.topics[%d]", path, i)}.topic(item, &sync)
	}
	sync.Nulls = reconcile.NullPolicy(d.oneOf(s.text("nulls"), string(reconcile.NullsKeep), string(reconcile.NullsClear)))
	duplicates := sectionOf[written.Duplicates](d.decoder, s.child("duplicates"), setting(path, "duplicates"))
	sync.Duplicates = reconcile.DuplicateConsent(d.oneOf(duplicates.text("consent"), string(reconcile.ConsentWinner), string(reconcile.ConsentAny)))
	sync.Schedule = d.schedule(s)
	if v := s.text("stale_after"); v.given && v.text == off {
		sync.StaleAfter = -1
	} else {
		sync.StaleAfter = d.duration(v, 0, off)
	}
	policyDecoder(d).policies(s, &sync)
	return sync
}

func (d syncDecoder) source(s section, sync *Sync) {
	src := d.child(s, "source", "say where the rows come from")
	if src == nil {
		return
	}
	keys := sectionOf[written.Source](d.decoder, src, s.path+".source")
	var dsn value
	_ = d.unlessUnused(UseSources, func() { dsn = keys.text("dsn") })
	query := keys.text("query")
	sync.Query = strings.TrimSpace(query.text)
	cursor := d.cursor(keys, sync)
	if !d.required(dsn, "name the database or file, such as postgres://user:${PASSWORD}@host/database or csv:users.csv") {
		return
	}
	sync.DSN = Secret(dsn.text)
	target, err := sourcedsn.Parse(dsn.text, d.dir)
	if err != nil {
		dsn.refuse(d.decoder, "%s", err)
		return
	}
	sync.Target = target
	if sync.Cursor.Column != "" {
		sync.Cursor.Database = target.String() // String masks the password
	}
	policyDecoder(d).wakes(keys, sync)
	isFile := target.IsFile()
	isMongo := target.Kind() == sourcedsn.KindMongo
	d.collection(keys, sync, query, isMongo)
	if isFile && cursor.given {
		cursor.refuse(d.decoder, "a file is always read whole, because it cannot be asked for changed rows; remove it")
	}
	switch {
	case isFile && query.given:
		query.refuse(d.decoder, "a file has no query; remove it")
	case !isFile && !isMongo:
		d.required(query, "write the SELECT that gives one row per contact")
	}
}

// child returns the section of a key that is required.
func (d *decoder) child(s section, key, advice string) *yamltree.Node {
	n := s.child(key)
	if n == nil && !s.odd {
		d.add(s.node.Line, s.path, "%q is missing; %s", key, advice)
	}
	return n
}
