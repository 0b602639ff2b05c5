package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/tests/cluster/programs"
)

// rate is what each Owlat of the short tests allows, in requests a second: four times the usual, so that enough happens.
const rate = 40

// soakVariable says for how long "make soak-cluster" plays, such as 1h.
const soakVariable = "OWLATSYNC_SOAK_CLUSTER"

// onABusyMachine is how long work may lie in the short tests, which share two processors with all others. "make soak-cluster" wants what is
// promised.
const onABusyMachine = 30 * time.Second

// TestOneNode kills, freezes and cuts off a service that is alone with its ledger in a file.
func TestOneNode(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 1, Rate: rate, Seed: 1})
	w.Live(t.Context())
	if err := w.Mischief.Play(t.Context(), Plan{For: 12 * time.Second, Longest: 2 * time.Second, Breather: time.Second, Kinds: []TroubleKind{Killed, Frozen, Stopped, CutSource, CutOwlat}}); err != nil {
		t.Fatal(err)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// TestCluster kills the node of three that does most and freezes the one that takes over, cuts off the third from the ledger, and has
// the ledger's server crash, while people of several deployments come, change and leave.
func TestCluster(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 3, Deployments: []string{"a", "b", "c"}, Rate: rate, Seed: 3, Shared: true, Within: onABusyMachine, Program: watchedProgram(t)})
	w.Live(t.Context())
	<-time.After(3 * time.Second)
	for _, kind := range []TroubleKind{Killed, Frozen} {
		if err := w.Mischief.StrikeUntilTaken(t.Context(), kind, Whole); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Mischief.Strike(t.Context(), CutLedger, Deaf, 4*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Mischief.Strike(t.Context(), Crashed, Whole, 0); err != nil {
		t.Fatal(err)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// TestNodesAreUpgradedOneAfterTheOther brings the schema up to date with a program of the next version while nodes of this one work, and
// then gives each node that program, the last one by a kill. The next version adds columns to tables in which both write.
func TestNodesAreUpgradedOneAfterTheOther(t *testing.T) {
	inSoak(t)
	t.Parallel()
	migrations := filepath.Join(root(t), "ledger", "postgres", "internal", "server", "migrations")
	present, err := filepath.Glob(filepath.Join(migrations, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	next := changed(t, programs.Change{File: filepath.Join(migrations, fmt.Sprintf("%04d_next.sql", len(present)+1)), To: `ALTER TABLE @entries ADD COLUMN next BIGINT NOT NULL DEFAULT 1;
ALTER TABLE @runs ADD COLUMN next TEXT;
ALTER TABLE @leases ADD COLUMN next TEXT;
ALTER TABLE @nodes ADD COLUMN next BIGINT NOT NULL DEFAULT 2;
`})
	w := world(t, Options{Nodes: 3, Deployments: []string{"a", "b", "c"}, Rate: rate, Seed: 5, Shared: true})
	w.Live(t.Context())
	<-time.After(3 * time.Second)
	version := func() string {
		conn, err := pgx.Connect(t.Context(), w.Ledger.DSN(w.Ledger.Addr(), "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		var is string
		if err := conn.QueryRow(t.Context(), "SELECT max(version)::text FROM owlat_sync.ledger_version").Scan(&is); err != nil {
			t.Fatal(err)
		}
		return is
	}
	before := version()
	first := w.Nodes[0]
	was := first.program
	first.program = next
	if said, err := first.Ask("ledger", "migrate"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	first.program = was
	if now := version(); now == before {
		t.Fatalf("the schema is still that of version %s", now)
	}
	<-time.After(4 * time.Second) // nodes of this version work with the schema of the next one
	for i, n := range w.Nodes {
		if i < len(w.Nodes)-1 {
			n.Stop()
		} else {
			n.Kill()
		}
		n.program = next
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second) // both versions work
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// inSoak leaves out what takes too long for "make test": it builds a program of its own.
func inSoak(t *testing.T) {
	t.Helper()
	if os.Getenv(soakVariable) == "" {
		t.Skip("\"make soak-cluster FOR=1h\" plays it")
	}
}

// TestSoak plays at random for as long as OWLATSYNC_SOAK_CLUSTER says, such as 1h: one world after the other, of some minutes each, with
// everything that can go wrong. One of the nodes has a clock that is ten minutes off.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv(soakVariable))
	if err != nil {
		t.Skip("\"make soak-cluster FOR=1h\" plays it")
	}
	wrong, err := programs.WrongClock()
	if err != nil {
		t.Fatal(err)
	}
	skewed := changed(t, wrong...)
	began := time.Now()
	seed := uint64(began.Unix())
	if text := os.Getenv("OWLATSYNC_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for ; time.Since(began) < long && !t.Failed(); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { soak(t, seed, skewed, min(long, 4*time.Minute)) })
	}
}

func soak(t *testing.T, seed uint64, skewed string, long time.Duration) {
	rates := []int{10, rate} // Owlat's own, and one with which more happens
	w := world(t, Options{Nodes: 3, Deployments: []string{"a", "b", "c", "d", "e"}, Rate: rates[seed%2], Seed: seed, Shared: true, Skewed: skewed})
	w.Live(t.Context())
	if err := w.Mischief.Play(t.Context(), Plan{
		For: long, Longest: 65 * time.Second, Breather: 3 * time.Second, Holder: true, AtOnce: 2,
		Kinds: []TroubleKind{Killed, Killed, Frozen, Frozen, Stopped, CutLedger, CutLedger, CutSource, CutOwlat, CutOwlat, Crashed, FailedOver},
	}); err != nil {
		t.Fatal(err)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// TestTheJudgeSeesADoubledBudget has a node that takes twice what Owlat allows for its budget.
func TestTheJudgeSeesADoubledBudget(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 1, Rate: 10, PerSecond: 20, Every: 30 * time.Millisecond, Seed: 1})
	w.Live(t.Context())
	mustSee(t, w, "the budget was exceeded")
}

// mustSee wants the judge to find these faults in a world that lives, sooner or later. A bar stands between faults of which one is enough.
func mustSee(t *testing.T, w *World, faults ...string) {
	t.Helper()
	for began := time.Now(); ; <-time.After(2 * time.Second) {
		e, err := w.Evidence(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := strings.Join(Judge(e), "\n")
		unseen := slices.DeleteFunc(slices.Clone(faults), func(fault string) bool {
			return slices.ContainsFunc(strings.Split(fault, "|"), func(one string) bool { return strings.Contains(found, one) })
		})
		switch {
		case len(unseen) == 0:
			return
		case time.Since(began) > time.Minute:
			t.Fatalf("the judge does not see %q, but:\n%s", unseen, found)
		}
	}
}

// TestTheJudgeSeesNodesWithoutFencing lets two services work for one deployment, each with a ledger of its own: neither knows of
// the other, and each has a budget of its own.
func TestTheJudgeSeesNodesWithoutFencing(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 2, Rate: 15, Seed: 1})
	w.Live(t.Context())
	mustSee(t, w, "the budget was exceeded", "came twice", "took the home at")
}

// TestTheJudgeSeesAFrozenNodeWithoutFencing has nodes that do not heed that their leases have ended, and freezes one until another has
// taken over.
func TestTheJudgeSeesAFrozenNodeWithoutFencing(t *testing.T) {
	inSoak(t)
	t.Parallel()
	ledger := filepath.Join(root(t), "ledger", "postgres")
	schema := filepath.Join(ledger, "internal", "server", "migrations", "0001_ledger.sql")
	unfenced := changed(t,
		programs.Change{File: filepath.Join(ledger, "internal", "lease", "lease.go"), From: "until := asked + t.Life - t.Margin", To: "until := asked + 1000*t.Life"},
		programs.Change{File: filepath.Join(ledger, "internal", "lease", "renew.go"), From: "\t\t\tl.Lose(ErrTaken)\n", To: "\t\t\t_ = l\n"},
		programs.Change{File: schema, From: "\tIF at_epoch = of_epoch AND at_holder = of_holder AND at_writes = known THEN", To: "\tIF true THEN"},
		programs.Change{File: schema, From: "\tIF NOT FOUND THEN\n\t\tPERFORM @passes(", To: "\tIF false THEN\n\t\tPERFORM @passes("},
	)
	w := world(t, Options{Nodes: 2, Rate: rate, Seed: 1, Shared: true, Program: unfenced})
	w.Live(t.Context())
	<-time.After(3 * time.Second)
	if _, err := w.Mischief.Strike(t.Context(), Frozen, Whole, 14*time.Second); err != nil {
		t.Fatal(err)
	}
	// It sends what it had begun, or records it, whichever comes first.
	mustSee(t, w, "without the right to|before run")
}
