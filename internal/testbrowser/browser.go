// Package testbrowser shows pages to tests as people see them: in a real, headless Chromium, at the widths of a telephone and of a desk, in
// both colour schemes, with the keyboard alone, without JavaScript, and through the eyes of axe-core, which looks for what shuts people out.
//
// All tests of a package share one browser process. Each page has a browser context of its own, so that nothing is left over from another
// test. The browser reaches the loopback interface alone.
package testbrowser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Variable is the environment variable that may hold the path of a Chromium or Chrome.
const Variable = "OWLATSYNC_TEST_CHROMIUM"

// startTimeout is how long the browser may take to start, and stepTimeout how long each thing that is asked of it.
const startTimeout, stepTimeout = 2 * time.Minute, time.Minute

// Program is the path of the browser, empty if there is none.
func Program() string {
	for _, name := range []string{os.Getenv(Variable), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// shared is the browser of the test binary.
var shared struct {
	sync.Mutex
	ctx  context.Context
	stop func() error
	err  error
}

// Main runs the tests of a package and ends the browser behind them. A package that opens pages has
//
//	func TestMain(m *testing.M) { os.Exit(testbrowser.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.stop == nil {
		return code
	}
	if err := shared.stop(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "end the browser:", err)
		return 1
	}
	return code
}

// browser returns the context of the running browser. Without Chromium it skips the test, or fails it if CI=true.
func browser(t testing.TB) context.Context {
	t.Helper()
	program := Program()
	if program == "" {
		missing(t, "Chromium is not installed; `make test` installs it as root on Debian, elsewhere install it or name one in "+Variable)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.ctx == nil && shared.err == nil {
		shared.ctx, shared.stop, shared.err = start(program)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.ctx
}

// missing skips a test that lacks something, or fails it if CI=true.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s (CI=true allows no skipping)", what)
	}
	t.Skip(what)
}

func start(program string) (context.Context, func() error, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE [::1] , EXCLUDE localhost"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en-GB"),
	)
	allocated, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	late := time.AfterFunc(startTimeout, cancel)
	if err := chromedp.Do(ctx); err != nil {
		late.Stop()
		cancel()
		release()
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	late.Stop()
	stop := func() error {
		defer release()
		ending, done := context.WithTimeout(ctx, stepTimeout)
		defer done()
		err := chromedp.Cancel(ending)
		cancel()
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	return ctx, stop, nil
}
