// Command up starts three nodes of owlat-sync on this machine, beside private servers of PostgreSQL and a sandbox for each of three
// deployments, in which people come, change and leave. It needs only Go and PostgreSQL, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"owlatsync/tests/cluster"
	"owlatsync/tests/cluster/programs"
)

func main() {
	nodes := flag.Int("nodes", 3, "how many nodes")
	deployments := flag.Int("deployments", 3, "how many deployments")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *nodes, *deployments); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, nodes, deployments int) (err error) {
	dir, err := os.MkdirTemp("", "owlat-sync-cluster-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // the user of PostgreSQL must reach its folder
		return err
	}
	program, err := programs.Build(dir, false, "")
	if err != nil {
		return err
	}
	var names []string
	for n := range deployments {
		names = append(names, fmt.Sprintf("team%d", n+1))
	}
	w, err := cluster.New(ctx, cluster.Options{Program: program, Dir: dir, Nodes: nodes, Deployments: names, Shared: true, Rate: 10, Seed: 1})
	if err != nil {
		return err
	}
	defer w.Close()
	w.Live(ctx)
	fmt.Printf("%d nodes with one ledger in PostgreSQL:\n\n", nodes)
	for _, n := range w.Nodes {
		fmt.Printf("  node %d  http://%s  process %d, log %s\n", n.Number, n.Listen, n.PID(), n.Log())
	}
	fmt.Printf("\nAn Owlat for each deployment, with the control API of a sandbox:\n\n")
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go func() { _ = w.Owlats[name].Serve(ctx, l) }()
		fmt.Printf("  %s  http://%s/__sandbox/contacts\n", name, l.Addr())
	}
	env := w.Nodes[0].Environment()
	fmt.Printf("\nIn another terminal:\n\n  export %s\n  %s status --deployment %s\n  curl -s http://%s/api/v1/deployments\n  kill -KILL %d\n\n", env, program, names[0], w.Nodes[0].Listen, w.Nodes[0].PID())
	fmt.Printf("People come, change and leave meanwhile. Ctrl-C ends everything and removes it.\n")
	<-ctx.Done()
	return w.Quieten()
}
