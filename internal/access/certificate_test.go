package access

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/config"
)

// nameOf returns the name in the certificate that serves now.
func nameOf(t *testing.T, c *Certificate) string {
	t.Helper()
	pair, err := c.Config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Subject.CommonName
}

func TestAChangedCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := certify(t, dir, "one.example", time.Now())
		var log bytes.Buffer
		c, err := OpenCertificate(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		later := func() string {
			time.Sleep(certificateChecked)
			return nameOf(t, c)
		}
		if got := nameOf(t, c) + " " + later(); got != "one.example one.example" || log.Len() > 0 {
			t.Errorf("at first %s, log %s", got, &log)
		}
		certify(t, dir, "two.example", time.Now())
		if got := nameOf(t, c) + " " + later(); got != "one.example two.example" {
			t.Errorf("after a change %s", got)
		}
		// A key that does not fit leaves the former certificate, and is told once.
		key, err := os.ReadFile(files.Key)
		if err != nil {
			t.Fatal(err)
		}
		certify(t, dir, "three.example", time.Now())
		put(t, files.Key, key, time.Now())
		if got := later() + " " + later(); got != "two.example two.example" || strings.Count(log.String(), "level=WARN") != 1 {
			t.Errorf("half a change: %s, log %s", got, &log)
		}
		if err := os.Remove(files.Key); err != nil {
			t.Fatal(err)
		}
		if got := later(); got != "two.example" {
			t.Errorf("without a key: %s", got)
		}
		certify(t, dir, "four.example", time.Now())
		if got := later(); got != "four.example" {
			t.Errorf("mended: %s", got)
		}
		// Other files are taken over at once, or not at all.
		if err := c.Replace(config.TLS{Cert: filepath.Join(dir, "none.pem"), Key: files.Key}); err == nil || !strings.Contains(err.Error(), "none.pem") {
			t.Errorf("a file that is not there: %v", err)
		}
		if got := nameOf(t, c); got != "four.example" {
			t.Errorf("after a refused change: %s", got)
		}
		if err := c.Replace(certify(t, t.TempDir(), "five.example", time.Now())); err != nil || nameOf(t, c) != "five.example" {
			t.Errorf("other files: %v, %s", err, nameOf(t, c))
		}
	})
}

func TestBadCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := certify(t, dir, "one.example", time.Now())
	for name, files := range map[string]config.TLS{
		"no such file":         {Cert: filepath.Join(dir, "none.pem"), Key: good.Key},
		"key for certificate":  {Cert: good.Key, Key: good.Key},
		"certificate for key":  {Cert: good.Cert, Key: good.Cert},
		"a folder":             {Cert: dir, Key: good.Key},
		"nothing in the files": {Cert: os.DevNull, Key: os.DevNull},
	} {
		if _, err := OpenCertificate(files, silent()); err == nil || !strings.Contains(err.Error(), files.Cert) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
