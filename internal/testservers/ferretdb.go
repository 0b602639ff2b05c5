//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"owlatsync/internal/testdb"
)

// ferretFolder is the folder of the module that makes the server, within that of owlat-sync.
const ferretFolder = "tests/ferretdb"

// ferretModule returns the folder of that module, "" if the program runs outside owlat-sync's.
func ferretModule() string {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return ""
	}
	folder := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), ferretFolder)
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return ""
	}
	return folder
}

// startFerretDB builds FerretDB and starts it.
func startFerretDB(ctx context.Context, parent string) (*process, string, error) {
	dir, err := os.MkdirTemp(parent, "ferretdb-")
	if err != nil {
		return nil, "", fmt.Errorf("create the server's folder: %w", err)
	}
	binary := filepath.Join(dir, "ferretdb")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = ferretModule()
	if err := runQuietly(build); err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, "", fmt.Errorf("create the server's folder: %w", err)
	}
	var own *account
	p, err := start(own.command(dir, binary, data), dir, syscall.SIGKILL)
	if err != nil {
		return nil, "", err
	}
	dsn, err := p.firstLine(ctx)
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return ready(ctx, p, dsn, testdb.PingMongo)
}

// firstLine waits for the first line that the server writes.
func (p *process) firstLine(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(p.log)
		if err != nil {
			return "", fmt.Errorf("read the server's log: %w", err)
		}
		if line, _, complete := strings.Cut(string(text), "\n"); complete {
			return line, nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return "", errors.New("it ended at once")
		case <-ctx.Done():
			return "", errors.New("it did not say where it listens")
		}
	}
}
