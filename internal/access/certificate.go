package access

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"owlatsync/internal/config"
)

// certificateChecked is how often the files of a certificate are looked at, at most.
const certificateChecked = 10 * time.Second

// Certificate is a certificate in two files, which may be replaced while the service runs. It is safe for concurrent use.
type Certificate struct {
	log *slog.Logger

	mu      sync.Mutex
	files   config.TLS
	now     *tls.Certificate
	seen    [2]stamp // of the files that were read last, whatever came of it
	checked time.Time
}

// stamp changes when a file does.
type stamp struct {
	changed time.Time
	size    int64
}

// OpenCertificate reads a certificate and its key from PEM files.
func OpenCertificate(files config.TLS, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{log: log}
	return c, c.Replace(files)
}

// Replace takes over the certificate of these files. If they have none, the one before stays.
func (c *Certificate) Replace(files config.TLS) error {
	seen := [2]stamp{stampOf(files.Cert), stampOf(files.Key)}
	pair, err := load(files)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files, c.now, c.seen, c.checked = files, pair, seen, time.Now()
	return nil
}

func load(files config.TLS) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s with the key %s: %w", files.Cert, files.Key, err)
	}
	return &pair, nil
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// Config returns how a server uses the certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }}
}

// current returns the certificate, read again if a file has changed. While the files do not fit each other, because one is not
// written yet, the former certificate serves.
func (c *Certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < certificateChecked {
		return c.now
	}
	c.checked = now
	seen := [2]stamp{stampOf(c.files.Cert), stampOf(c.files.Key)}
	if seen == c.seen {
		return c.now
	}
	c.seen = seen
	pair, err := load(c.files)
	if err != nil {
		c.log.Warn("the changed certificate cannot be used, the former one stays", "error", err)
		return c.now
	}
	c.log.Info("the certificate was read again", "file", c.files.Cert)
	c.now = pair
	return c.now
}
