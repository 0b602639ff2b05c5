package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
)

var deploymentName = regexp.MustCompile(written.DeploymentName)

// several reads several deployments. What is wrong within one of them concerns only that one.
type several struct {
	*decoder
	set  *Set
	only string // the only deployment that is used; empty: all
}

// read reads the key "deployments" of the file.
func (r *several) read(file section) {
	for _, key := range written.KeysOf[written.Deployment]() {
		if key == "tokens" || key == "accounts" {
			continue // no keys of a file
		}
		if n := file.child(key); n != nil {
			r.add(n.Line, key, "cannot stand beside %q: put it under the deployment it belongs to", "deployments")
		}
	}
	n := file.child("deployments")
	switch {
	case n.Kind == yamltree.Mapping:
		for _, p := range n.Pairs {
			r.named(p.Key, func() (*Config, error) { return r.inline(p) })
		}
	case n.Kind == yamltree.Text:
		if v := file.text("deployments"); v.given {
			r.folder(v)
		}
	default:
		r.add(n.Line, "deployments", "must be a section with a key for each deployment, its name, or the folder that has a file for each, not %s", n.Kind)
	}
	r.sameKeys()
}

// named adds the deployment that read returns, or what is wrong with it.
func (r *several) named(name string, read func() (*Config, error)) {
	if r.only != "" && name != r.only {
		r.set.fail(name, errUnread)
		return
	}
	cfg, err := read()
	if err != nil {
		r.set.fail(name, err)
		return
	}
	r.set.Deployments = append(r.set.Deployments, cfg)
}

// errUnread stands for a deployment that was not looked at.
var errUnread = errors.New("this deployment was not read")

func (s *Set) fail(name string, err error) {
	if s.Broken == nil {
		s.Broken = make(map[string]error)
	}
	s.Broken[name] = err
}

// tells notes whom a broken deployment tells what is wrong.
func (s *Set) tells(broken *Config) {
	if s.Alerts == nil {
		s.Alerts = make(map[string][]Alert)
	}
	s.Alerts[broken.Name] = broken.Alerts
}

// inline reads a deployment that stands in the file itself.
func (r *several) inline(p yamltree.Pair) (*Config, error) {
	d := &decoder{problems: problems{file: r.file}, dir: r.dir, lookup: r.lookup, use: r.use, several: true}
	path := setting("deployments", p.Key)
	s := sectionOf[written.Deployment](d, p.Value, path)
	s.at, s.node.Line = p.Line, cmp.Or(s.node.Line, p.Line)
	return r.deployment(d, p.Key, p.Line, s, &Config{File: r.set.File})
}

// deployment reads a deployment from its section.
func (r *several) deployment(d *decoder, name string, line int, s section, cfg *Config) (*Config, error) {
	cfg.Name, cfg.Ledger, cfg.Service, cfg.NoService = name, r.set.Ledger.Of(name), r.set.Service, r.set.NoService
	if !deploymentName.MatchString(name) {
		d.add(line, "deployments", "%q cannot be the name of a deployment: use letters, digits, \".\", \"_\" and \"-\", at most 64, and begin with a letter or digit", name)
	}
	if r.set.hasLike(name) {
		d.add(line, "deployments", "%q differs from another name only in its letter case, which some file systems do not tell apart", name)
	}
	if !s.odd {
		d.deployment(s, cfg)
		wrong := d.unlessUnused(UseService, func() {
			for i, n := range s.list("tokens") {
				cfg.Tokens = append(cfg.Tokens, serviceDecoder{d}.token(n, itemOf(s.path, "tokens", i), cfg.Tokens))
			}
			cfg.Accounts = accountDecoder{d}.accounts(s)
		})
		cfg.NoService = join(cfg.NoService, wrong)
	}
	if err := d.err(); err != nil {
		r.set.Guarded = r.set.Guarded || s.odd || s.child("tokens") != nil || s.child("accounts") != nil
		if !slices.ContainsFunc(d.list, func(p Problem) bool { return strings.Contains(p.Setting, "alerts") }) {
			r.set.tells(cfg)
		}
		return nil, err
	}
	return cfg, nil
}

// hasLike reports whether a deployment before has the name, but for its letter case.
func (s *Set) hasLike(name string) bool {
	return slices.ContainsFunc(s.Deployments, func(c *Config) bool { return strings.EqualFold(c.Name, name) })
}

// folder reads the deployments whose files are in a folder.
func (r *several) folder(v value) {
	folder := v.text
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(r.dir, folder)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		v.refuse(r.decoder, "the folder of the deployments cannot be read: %s", err)
		return
	}
	for _, f := range files {
		name, isYAML := strings.CutSuffix(f.Name(), ".yaml")
		if !isYAML || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		r.named(name, func() (*Config, error) { return r.own(name, filepath.Join(folder, f.Name())) })
	}
}

// own reads a deployment from a file of its own.
func (r *several) own(name, path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		r.set.Guarded = true
		return nil, err
	}
	shown := path
	if rel, err := filepath.Rel(r.dir, path); err == nil {
		shown = filepath.Join(filepath.Dir(r.file), rel) // as the file itself is named
	}
	d := &decoder{problems: problems{file: shown}, dir: filepath.Dir(path), lookup: r.lookup, use: r.use, several: true}
	root, ok := d.read(data)
	if !ok {
		r.set.Guarded = true
		return nil, d.err()
	}
	return r.deployment(d, name, 0, sectionOf[written.Deployment](d, root, ""), &Config{File: path})
}

// sameKeys breaks each deployment that has an API key of one before it: its budget would be used twice.
func (r *several) sameKeys() {
	type place struct {
		url string
		key Secret
	}
	first := make(map[place]string)
	r.set.Deployments = slices.DeleteFunc(r.set.Deployments, func(c *Config) bool {
		keys := c.Owlat.Keys()
		at := slices.IndexFunc(keys, func(k Secret) bool { return first[place{c.Owlat.URL, k}] != "" })
		if at < 0 {
			for _, k := range keys {
				first[place{c.Owlat.URL, k}] = c.Name
			}
			return false
		}
		r.set.Guarded = r.set.Guarded || len(c.Tokens)+len(c.Accounts) > 0
		own := problems{file: r.file}
		which := "the API key"
		if len(keys) > 1 {
			which = fmt.Sprintf("in owlat.api_keys[%d] an API key", at)
		}
		own.add(0, setting("deployments", c.Name), "has %s of %q, too: what shares a key shares its budget, so put all its syncs under one deployment", which, first[place{c.Owlat.URL, keys[at]}])
		r.set.fail(c.Name, own.err())
		r.set.tells(c)
		return true
	})
}
