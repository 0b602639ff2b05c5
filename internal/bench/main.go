// Command bench measures owlat-sync against the script that Owlat documents, both in the same call against emulators with
// Owlat's real limits, and writes what it measured to docs/benchmarks. Requests are counted at the emulator.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, filepath.Join("docs", "benchmarks")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string) error {
	results, err := compare(ctx, 300)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	page := page(results)
	fmt.Print(page)
	if err := os.WriteFile(filepath.Join(folder, "README.md"), []byte(page), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "requests.svg"), []byte(plot(results)), 0o644)
}
