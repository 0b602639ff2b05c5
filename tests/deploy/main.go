// Command deploy checks what cannot be run without a container engine or a cluster, by the code that would run it: the compose
// files by the loader of Docker Compose, the manifests by Kustomize and by the API server's own defaults and validation, their pod
// by the "restricted" standard of pod security, the Dockerfile by the parser and the linter of BuildKit, and the Caddyfiles by
// Caddy. Its arguments are folders of owlat-sync. For each thing in each of them it prints a line with the folder, a tab, and what is so, and it
// exits with 1 if there is a fault. It is a module of its own, so that nobody who builds owlat-sync gets its many dependencies.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: deploy FOLDER...")
		os.Exit(2)
	}
	faults := 0
	for _, root := range os.Args[1:] {
		faults += checkFolder(context.Background(), root)
	}
	if faults > 0 {
		os.Exit(1)
	}
}

// checkFolder returns the number of things with a fault.
func checkFolder(ctx context.Context, root string) (faults int) {
	for _, thing := range []struct {
		file  string
		check func(context.Context, string) (string, error)
	}{
		{"Dockerfile", dockerfile},
		{"deploy/compose/compose.yaml", compose},
		{"deploy/compose/Caddyfile", caddyfileOf},
		{"deploy/compose/cluster.yaml", compose},
		{"deploy/compose/cluster.Caddyfile", caddyfileOf},
		{"deploy/kubernetes", kubernetes},
	} {
		what, err := thing.check(ctx, filepath.Join(root, filepath.FromSlash(thing.file)))
		if err != nil {
			faults++
			fmt.Printf("%s\t%s: %s\n", root, thing.file, strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		fmt.Printf("%s\t%s: ok: %s\n", root, thing.file, what)
	}
	return faults
}
