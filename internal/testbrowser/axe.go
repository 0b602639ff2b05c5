package testbrowser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// The release of axe-core, and the checksum that its registry has of it.
const (
	axeVersion = "4.14.1"
	axeSum     = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==" // SHA-512
	axeFile    = "package/axe.min.js"
)

// axeRules are the rules of WCAG 2.2 up to level AA, and what axe-core recommends beyond them.
const axeRules = `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`

// Accessible fails the test with everything that axe-core finds on the page as it is shown now. Without axe-core it skips the test, or fails it
// if CI=true.
func (p *Page) Accessible() {
	p.t.Helper()
	for _, v := range p.Violations() {
		p.t.Errorf("%s: %s", p.view, v)
	}
}

// Violations returns what axe-core finds on the page, each in words.
func (p *Page) Violations() []string {
	p.t.Helper()
	source, err := axeSource()
	if errors.Is(err, errNoNpm) {
		missing(p.t, err.Error())
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if p.view.NoScript { // what was not run when the page was loaded is not run now
		p.do("let axe-core run", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { return scripts(ctx, t, true) }))
		defer p.do("turn scripts off", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { return scripts(ctx, t, false) }))
	}
	// What is evaluated this way is the tester's, not the page's: its Content-Security-Policy does not count.
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](source+"\n;true")); err != nil {
		p.t.Fatalf("load axe-core: %v", err)
	}
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, Why string }
	}
	p.Eval(`axe.run(document, {runOnly: `+axeRules+`, resultTypes: ['violations'], preload: false}).then(r => r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help,
		Nodes: v.nodes.slice(0, 5).map(n => ({HTML: n.html.slice(0, 200), Why: n.failureSummary}))})))`, &found)
	var all []string
	for _, v := range found {
		text := fmt.Sprintf("%s (%s): %s", v.ID, v.Impact, v.Help)
		for _, n := range v.Nodes {
			text += "\n  " + n.HTML + "\n    " + strings.ReplaceAll(n.Why, "\n", "\n    ")
		}
		all = append(all, text)
	}
	return all
}

var errNoNpm = errors.New("axe-core is not there, and npm, which fetches it, is not installed: install Node.js with npm")

// axeSource returns the script of axe-core. It is fetched once, into the user's cache.
var axeSource = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return axeIn(filepath.Join(cache, "owlatsync"))
})

// axeIn returns the script, from the folder if it is there.
func axeIn(folder string) (string, error) {
	file := filepath.Join(folder, "axe-core-"+axeVersion+".tgz")
	archive, err := os.ReadFile(file)
	if err == nil && checkAxe(archive) == nil {
		return unpackAxe(archive)
	}
	if archive, err = fetchAxe(folder, file); err != nil {
		return "", err
	}
	return unpackAxe(archive)
}

// fetchAxe puts the release into a file of the folder and returns it.
func fetchAxe(folder, file string) ([]byte, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errNoNpm
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("keep axe-core: %w", err)
	}
	// Tests of several packages may fetch it at once: each in a folder of its own.
	own, err := os.MkdirTemp(folder, "fetch-")
	if err != nil {
		return nil, fmt.Errorf("keep axe-core: %w", err)
	}
	defer os.RemoveAll(own)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	pack := exec.CommandContext(ctx, npm, "pack", "axe-core@"+axeVersion, "--ignore-scripts", "--silent")
	pack.Dir = own
	if out, err := pack.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("fetch axe-core with npm: %w\n%s", err, out)
	}
	fetched := filepath.Join(own, filepath.Base(file))
	archive, err := os.ReadFile(fetched)
	if err == nil {
		err = checkAxe(archive)
	}
	if err == nil {
		err = os.Rename(fetched, file)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch axe-core: %w", err)
	}
	return archive, nil
}

// checkAxe compares the release with its checksum.
func checkAxe(archive []byte) error {
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != axeSum {
		return fmt.Errorf("the archive of axe-core %s does not have the checksum in internal/testbrowser/axe.go", axeVersion)
	}
	return nil
}

// unpackAxe returns the script in the release.
func unpackAxe(archive []byte) (string, error) {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", fmt.Errorf("unpack axe-core: %w", err)
	}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("unpack axe-core: look for %s: %w", axeFile, err)
		}
		if header.Name != axeFile {
			continue
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return "", fmt.Errorf("unpack axe-core: %w", err)
		}
		return string(text), nil
	}
}
