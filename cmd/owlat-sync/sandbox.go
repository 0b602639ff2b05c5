package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/problem"
	"owlatsync/internal/sandbox"
	"owlatsync/owlat/owlattest"
)

type sandboxFlags struct {
	listen      string
	allowRemote bool
	rate        float64
	burst       int
	noLimit     bool
	keys        int
	data        string
	secret      string
}

func newSandboxCmd(a *program.App) *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run an Owlat on this machine that sends no mail",
		Long: `Run an emulator of Owlat's REST API on this machine: to try owlat-sync without touching real
people, and to test programs in any language against it. It keeps everything in memory, knows the
request limit, consent and double opt-in as Owlat does, and never sends mail.

It prints an API key and topic ids to use, with --keys several keys, each with a limit of its own. Under /__sandbox/ it has a control API for tests: reset,
unsubscribe somebody, seed contacts, order faults, count requests. It is described in docs/emulator.md.

It stops on Ctrl-C or SIGTERM. With --data it keeps its state in a file and has it again afterwards.`,
		Example: `  owlat-sync sandbox
  owlat-sync sandbox --data sandbox.json
  owlat-sync sandbox --listen 127.0.0.1:0 --no-limit --json`,
		GroupID: program.GroupTools,
		Args:    program.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return serveSandbox(cmd.Context(), a, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:4010", "`address` to listen on; port 0 takes a free one")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "allow --listen to be reachable from other machines; the control API needs no key")
	flags.Float64Var(&f.rate, "rate", 10, "requests per second that one key may send")
	flags.IntVar(&f.burst, "burst", 15, "requests that one key may send at once from rest")
	flags.BoolVar(&f.noLimit, "no-limit", false, "let every request pass, whatever --rate and --burst say; clients go as fast as they can")
	flags.IntVar(&f.keys, "keys", 1, "API keys to begin with, to try several of one deployment; a file of --data is given those that it lacks")
	flags.StringVar(&f.secret, "unsubscribe-secret", "", "let the links in mails work: the `secret` that signs their tokens, as UNSUBSCRIBE_SECRET of a deployment")
	flags.StringVar(&f.data, "data", "", "keep the state in this `file`; it holds the API key and the unsubscribe secret")
	return cmd
}

// maxRate is the highest rate that a sandbox names, in requests a second.
const maxRate = 1_000_000

// maxKeys is how many keys a sandbox begins with at most.
const maxKeys = 100

func (f *sandboxFlags) check() error {
	host, _, err := net.SplitHostPort(f.listen)
	switch {
	case err != nil:
		return problem.Usage(fmt.Errorf("--listen %q is not an address such as 127.0.0.1:4010", f.listen))
	case !f.allowRemote && !isLoopback(host):
		return problem.Usage(problem.Hint(
			fmt.Errorf("--listen %s could be reached from other machines, and the sandbox's control API needs no key", f.listen),
			"listen on 127.0.0.1, or add --allow-remote where that is wanted, such as in a container"))
	case !(f.rate > 0):
		return problem.Usage(fmt.Errorf("--rate %v must be above 0; --no-limit turns the limit off", f.rate))
	case f.rate > maxRate:
		return problem.Usage(fmt.Errorf("--rate %.0f must be at most %d; --no-limit turns the limit off", f.rate, maxRate))
	case f.burst < 1:
		return problem.Usage(fmt.Errorf("--burst %d must be at least 1; --no-limit turns the limit off", f.burst))
	case f.keys < 1 || f.keys > maxKeys:
		return problem.Usage(fmt.Errorf("--keys %d must be from 1 to %d", f.keys, maxKeys))
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func serveSandbox(ctx context.Context, a *program.App, f sandboxFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	server := &owlattest.Server{Rate: f.rate, Burst: f.burst, NoLimit: f.noLimit}
	if f.noLimit {
		server.Rate = maxRate // clients go by the limit that the answers name
	}
	s, err := sandbox.Open(server, f.data, f.keys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if f.secret != "" { // also over the one in the file
		server.SetUnsubscribeSecret(f.secret)
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return problem.Hint(fmt.Errorf("listen on %s: %w", f.listen, err), "--listen 127.0.0.1:0 takes a free port")
	}
	if err := announceSandbox(a, server, "http://"+listener.Addr().String(), f); err != nil {
		return errors.Join(err, listener.Close())
	}
	err = s.Serve(ctx, listener, func(err error) { a.Notef("owlat-sync: %s; trying again\n", err) })
	if err != nil {
		return err
	}
	a.Notef("The sandbox has stopped.\n")
	return nil
}

func announceSandbox(a *program.App, server *owlattest.Server, url string, f sandboxFlags) error {
	topics := server.Topics()
	keys := make([]string, min(f.keys, len(server.Keys())))
	for i := range keys {
		keys[i] = server.Keys()[i].Value
	}
	if a.JSON {
		ids := make(map[string]string, len(topics))
		for _, t := range topics {
			ids[t.Name] = t.ID
		}
		return a.PrintJSON(struct {
			Type   string            `json:"type"`
			URL    string            `json:"url"`
			APIKey string            `json:"api_key"`
			Keys   []string          `json:"api_keys"`
			Topics map[string]string `json:"topics"`
			Secret string            `json:"unsubscribe_secret,omitempty"`
		}{"sandbox", url, keys[0], keys, ids, f.secret})
	}
	limit := fmt.Sprintf("%s requests a second and key, bursts of %d", strconv.FormatFloat(f.rate, 'f', -1, 64), f.burst)
	if f.noLimit {
		limit = "no request limit"
	}
	a.Printf("Owlat sandbox on %s (%s)\n\n  API key  %s\n", url, limit, keys[0])
	for _, key := range keys[1:] {
		a.Printf("           %s\n", key)
	}
	for i, t := range topics {
		label := "topics "
		if i > 0 {
			label = "       "
		}
		note := ""
		if t.DoubleOptIn {
			note = ", with double opt-in"
		}
		a.Printf("  %s  %s  %s%s\n", label, t.ID, t.Name, note)
	}
	if f.secret != "" {
		a.Printf("  secret   %s  of the links in mails\n", f.secret)
	}
	a.Printf("\nIn another terminal:\n\n  export OWLAT_URL=%s\n  export OWLAT_API_KEY=%s\n", url, keys[0])
	setting, variables := "api_key: ${OWLAT_API_KEY}", []string{"${OWLAT_API_KEY}"}
	for i, key := range keys[1:] {
		name := fmt.Sprintf("OWLAT_API_KEY_%d", i+2)
		a.Printf("  export %s=%s\n", name, key)
		variables = append(variables, "${"+name+"}")
	}
	if len(variables) > 1 {
		setting = `api_keys: ["` + strings.Join(variables, `", "`) + `"]`
	}
	a.Printf("  curl -H \"Authorization: Bearer $OWLAT_API_KEY\" $OWLAT_URL/api/v1/contacts\n  owlat-sync upsert ada@example.com --first-name Ada\n")
	a.Printf("\nIn owlat-sync.yaml:\n\n  owlat:\n    url: %s\n    %s\n\n", url, setting)
	kept := "Nothing is kept after it stops; --data FILE keeps it."
	if f.data != "" {
		kept = "Its state is kept in " + f.data + "."
	}
	a.Printf("It sends no mail. %s Ctrl-C stops it.\n", kept)
	return nil
}
