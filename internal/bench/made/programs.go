package made

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs builds owlat-sync as the Makefile does, and a program that does nothing.
func Programs(ctx context.Context, folder string) (program, empty string, err error) {
	program, empty = filepath.Join(folder, "owlat-sync"), filepath.Join(folder, "empty")
	source := filepath.Join(folder, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		return "", "", err
	}
	for output, what := range map[string]string{program: "./cmd/owlat-sync", empty: source} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", output, what)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("build %s: %w\n%s", what, err, out)
		}
	}
	return program, empty, nil
}
