package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// clerk asks everybody for what the judge looks at.
type clerk struct{ *World }

// Evidence collects what the judge looks at. It is called after Peace.
func (w *World) Evidence(ctx context.Context) (*Evidence, error) {
	e := &Evidence{Logs: make(map[int]string), Troubles: w.Mischief.troubles, Within: w.opts.Within, Secrets: []string{w.Source.Password, HookSecret}}
	if w.Ledger != nil {
		e.Secrets = append(e.Secrets, w.Ledger.Password)
	}
	for name, o := range w.Owlats {
		a := &Account{
			Name: name, Rate: o.Rate, Burst: float64(o.Burst), Log: o.Stats().Log, History: o.History(""), Contacts: o.Contacts(), Hooks: o.webhooks(),
			Lost: w.Mischief.lost, Quiet: w.quiet[name], Made: w.outsider.confirmed(name),
		}
		o.mu.Lock()
		a.Requests = append(a.Requests, o.requests...)
		o.mu.Unlock()
		e.Secrets = append(e.Secrets, o.Key)
		var err error
		if a.Syncs, err = w.towns[name].account(ctx); err != nil {
			return nil, err
		}
		if a.Runs, err = (clerk{w}).runs(name); err != nil {
			return nil, err
		}
		if a.Heard, err = (clerk{w}).heard(name); err != nil {
			return nil, err
		}
		if a.Unsure, err = (clerk{w}).unsure(name); err != nil {
			return nil, err
		}
		if a.Waiting, err = (clerk{w}).waiting(name); err != nil {
			return nil, err
		}
		e.Accounts = append(e.Accounts, a)
	}
	if err := (clerk{w}).leases(ctx, e); err != nil {
		return nil, err
	}
	for _, n := range w.Nodes {
		text, err := os.ReadFile(n.log())
		if err != nil {
			return nil, err
		}
		e.Logs[n.Number] = string(text)
	}
	return e, nil
}

// lines calls take with each line of JSON.
func lines[T any](out []byte, take func(T)) error {
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var line T
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return fmt.Errorf("%w in %q", err, scanner.Bytes())
		}
		take(line)
	}
	return scanner.Err()
}

// runs reads the records of all runs out of an export of the ledger.
func (w clerk) runs(name string) (all []Run, err error) {
	out, err := w.ask(name, "ledger", "export")
	if err != nil {
		return nil, err
	}
	type line struct {
		Run *struct {
			ID       int64
			Sync     string
			Status   string
			Epoch    int64
			Owner    struct{ PID int }
			Started  time.Time
			Finished time.Time
			Beat     time.Time `json:"heartbeat"`
			Report   *owlatsync.Report
		}
	}
	err = lines(out, func(l line) {
		if l.Run == nil {
			return
		}
		r := Run{ID: l.Run.ID, Sync: l.Run.Sync, Status: l.Run.Status, Epoch: l.Run.Epoch, PID: l.Run.Owner.PID, From: l.Run.Started, To: l.Run.Finished}
		if r.Status == "died" || r.To.IsZero() {
			r.To = l.Run.Beat // it ended at some time after this
		}
		r.Balanced = l.Run.Report == nil || l.Run.Report.Balanced()
		all = append(all, r)
	})
	return all, err
}

// unsure reads out of an export which rows have an add whose outcome stayed unknown.
func (w clerk) unsure(name string) (map[Place]bool, error) {
	out, err := w.ask(name, "ledger", "export")
	if err != nil {
		return nil, err
	}
	type line struct {
		Entry *struct {
			Place
			Memberships []ledger.Membership
		}
	}
	rows := make(map[Place]bool)
	err = lines(out, func(l line) {
		if l.Entry != nil && slices.ContainsFunc(l.Entry.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberUnsure }) {
			rows[l.Entry.Place] = true
		}
	})
	return rows, err
}

// heard returns the feedback that is kept.
func (w clerk) heard(name string) (all []Heard, err error) {
	out, err := w.ask(name, "feedback", "--json", "--limit", "0")
	if err != nil {
		return nil, err
	}
	type line struct {
		Event     string
		Email     string
		ContactID string `json:"contact_id"`
	}
	err = lines(out, func(l line) { all = append(all, Heard{l.Event, strings.ToLower(l.Email), l.ContactID}) })
	return all, err
}

// waiting counts the write-backs that are not done.
func (w clerk) waiting(name string) (n int, err error) {
	out, err := w.ask(name, "feedback", "dead", "--json")
	if err != nil {
		return 0, err
	}
	err = lines(out, func(json.RawMessage) { n++ })
	return n, err
}
