package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// peaceWithin is how long everything may take to settle after the last trouble, and after the last webhook that somebody acknowledged.
const peaceWithin = 60 * time.Second

// calm is what settles in a world that is left in peace.
type calm struct{ *World }

// Peace mends everything, waits until Owlat is what the source says, lets some of those who left come back, and watches whether
// anything is still sent when nothing changes. What did not come about in time is left to the judge.
func (w *World) Peace(ctx context.Context) error {
	if err := w.Quieten(); err != nil {
		return err
	}
	if err := w.mend(); err != nil {
		return err
	}
	w.opts.Log("peace")
	for n := range 2 {
		settled, err := calm{w}.settle(ctx)
		if err != nil {
			return err
		}
		if n > 0 || !settled {
			break
		}
		for name, t := range w.towns {
			back, err := t.comeBack(ctx, 3)
			if err != nil {
				return err
			}
			w.opts.Log("%d people of %q come back", back, name)
		}
	}
	return calm{w}.watchQuiet(ctx)
}

// mend ends all troubles.
func (w *World) mend() error {
	for _, n := range w.Nodes {
		n.mend()
		n.Thaw()
		if !n.alive() {
			if err := n.Start(); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits until Owlat is what the source says and nothing waits to be written back, or until that has taken too long.
func (w calm) settle(ctx context.Context) (settled bool, err error) {
	began, asked := time.Now(), time.Time{}
	last := began
	for {
		lacks, err := w.lacks(ctx)
		if err != nil {
			return false, err
		}
		if lacks == 0 {
			w.opts.Log("settled within %v", time.Since(began).Round(time.Millisecond))
			return true, nil
		}
		for _, o := range w.Owlats {
			o.mu.Lock()
			last = later(last, o.lastAck)
			o.mu.Unlock()
		}
		if time.Since(last) > peaceWithin {
			w.opts.Log("%d things did not settle; River has %s", lacks, w.jobs(ctx))
			return false, nil
		}
		if time.Since(asked) > 10*time.Second { // what failed while nothing worked has long pauses
			asked = time.Now()
			if err := w.hurry(); err != nil {
				w.opts.Log("%v", err)
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// jobs tells what River has still to do, for whoever looks why something did not settle.
func (w calm) jobs(ctx context.Context) string {
	if w.Ledger == nil {
		return "no part in it"
	}
	conn, err := pgx.Connect(ctx, w.Ledger.DSN(w.Ledger.Addr(), "postgres"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close(ctx) }()
	var text string
	sql := "SELECT coalesce(string_agg(concat_ws(' ', id, kind, state, queue, args, attempt, scheduled_at, attempted_by, errors[array_upper(errors, 1)]), E'\n'), 'nothing to do') FROM " +
		schema + ".river_job WHERE finalized_at IS NULL"
	if err := conn.QueryRow(ctx, sql).Scan(&text); err != nil {
		return err.Error()
	}
	return text
}

// lacks counts what is out of step.
func (w calm) lacks(ctx context.Context) (lacks int, err error) {
	for name, o := range w.Owlats {
		a := &Account{Contacts: o.Contacts(), History: o.History(""), Hooks: o.webhooks(), Unsure: w.unsure[name]}
		if a.Syncs, err = w.towns[name].account(ctx); err != nil {
			return 0, err
		}
		judged := findings{}
		judgeWrittenBack(&judged, a)
		lacks += len(OutOfStep(a)) + len(judged.all)
	}
	if lacks > 0 {
		return lacks, nil
	}
	for name := range w.Owlats { // asking the program takes longer
		waiting, err := clerk(w).waiting(name)
		if err != nil {
			w.opts.Log("%v", err)
			waiting = 1
		}
		lacks += waiting
	}
	return lacks, nil
}

// hurry lets what failed before be tried at once, and asks what nobody knows.
func (w calm) hurry() error {
	var errs []error
	for name := range w.Owlats {
		for _, sync := range syncs {
			_, err := w.ask(name, "retry", "--all", "--sync", sync)
			errs = append(errs, err)
			_, err = w.ask(name, "trigger", sync)
			errs = append(errs, err)
		}
		unsure, err := clerk(w).unsure(name)
		w.unsure[name], errs = unsure, append(errs, err)
	}
	return errors.Join(errs...)
}

// ask asks the program about a deployment.
func (w *World) ask(deployment string, args ...string) ([]byte, error) {
	if deployment != single {
		args = append(args, "--deployment", deployment)
	}
	var errs []error
	for _, n := range w.Nodes {
		out, err := n.Ask(args...)
		if err == nil {
			return out, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// quietFor is how long nothing may be written when nothing changes: some runs come meanwhile.
const quietFor = 7 * time.Second

func (w calm) watchQuiet(ctx context.Context) error {
	before := make(map[string]int)
	for name, o := range w.Owlats {
		before[name] = o.Stats().Writes
	}
	select {
	case <-time.After(quietFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	for name, o := range w.Owlats {
		w.quiet[name] = o.Stats().Writes - before[name]
	}
	return nil
}
