package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Town is the people of one deployment, and the application in which they live: two tables of one database. It plays what they do, and
// remembers what the judge must know.
type Town struct {
	name  string
	owlat *Owlat
	pool  *pgxpool.Pool
	dice  *rand.Rand

	mu     sync.Mutex
	rows   [2]map[string]*Row
	order  [2][]string
	words  [2][]Word
	serial int
	marks  int
}

// The syncs of every deployment.
const (
	Users     = 0
	Customers = 1
)

var syncs = [2]string{"users", "customers"}

// NewTown makes the tables of a deployment.
func NewTown(ctx context.Context, name string, o *Owlat, pool *pgxpool.Pool, seed uint64) (*Town, error) {
	t := &Town{name: name, owlat: o, pool: pool, dice: rand.New(rand.NewPCG(seed, 7))}
	for n := range syncs {
		t.rows[n] = make(map[string]*Row)
		table := t.table(n)
		for _, statement := range []string{
			"CREATE TABLE " + table + " (id text PRIMARY KEY, email text NOT NULL UNIQUE, name text, yes boolean NOT NULL, mark text NOT NULL, heard int NOT NULL DEFAULT 0)",
			"CREATE TABLE " + table + "_heard (email text, at timestamptz)",
			"CREATE FUNCTION " + table + "_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
				"IF TG_OP = 'UPDATE' THEN IF NEW.heard <> OLD.heard THEN INSERT INTO " + table + "_heard VALUES (NEW.email, clock_timestamp()); END IF; END IF; " +
				"PERFORM pg_notify('" + table + "', to_json(NEW.id)::text); RETURN NULL; END $$",
			"CREATE TRIGGER changed AFTER INSERT OR UPDATE ON " + table + " FOR EACH ROW EXECUTE FUNCTION " + table + "_changed()",
		} {
			if _, err := pool.Exec(ctx, statement); err != nil {
				return nil, fmt.Errorf("make the tables of %s: %w", name, err)
			}
		}
	}
	return t, nil
}

func (t *Town) table(n int) string { return "town_" + t.name + "_" + syncs[n] }

func (t *Town) topic(n int) string {
	if n == Users {
		return t.owlat.News
	}
	return t.owlat.Offers
}

// exec runs a statement that may be repeated, until the database has confirmed it, and returns when that may have been. It goes on after
// ctx has ended, so that the town knows what is in its tables.
func (t *Town) exec(ctx context.Context, statement string, args ...any) (Span, error) {
	ctx = context.WithoutCancel(ctx)
	s := Span{From: time.Now()}
	for {
		_, err := t.pool.Exec(ctx, statement, args...)
		if s.To = time.Now(); err == nil {
			return s, nil
		}
		if s.To.Sub(s.From) > time.Minute {
			return s, fmt.Errorf("%s: %w", statement, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// Live lets things happen until ctx ends, about so often.
func (t *Town) Live(ctx context.Context, every time.Duration) error {
	for ctx.Err() == nil {
		if err := t.step(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-time.After(every/2 + time.Duration(t.dice.Int64N(int64(every)))):
		case <-ctx.Done():
		}
	}
	return nil
}

func (t *Town) step(ctx context.Context) error {
	n := t.dice.IntN(2)
	key, row := t.any(n)
	if row == nil {
		return t.appear(ctx, n)
	}
	switch t.dice.IntN(16) {
	case 0, 1, 2, 3:
		return t.appear(ctx, n)
	case 4, 5, 6:
		return t.say(ctx, n, key, t.dice.IntN(2) == 0)
	case 7, 8, 9:
		name, mark := fmt.Sprintf("Ann N%d", t.number()), t.mark(n, key)
		_, err := t.exec(ctx, "UPDATE "+t.table(n)+" SET name = $2, mark = $3 WHERE id = $1", key, name, mark)
		t.change(func() { row.Name = name })
		return err
	case 10:
		return t.move(ctx, n, key, row)
	case 11:
		_, err := t.exec(ctx, "DELETE FROM "+t.table(n)+" WHERE id = $1", key)
		t.change(func() { row.Gone = true })
		return err
	case 12, 13:
		_ = t.owlat.Unsubscribe(t.address(row), t.topic(n)) // who is not known yet cannot leave
	case 14:
		_ = t.owlat.Unsubscribe(t.address(row), "")
	case 15:
		if t.dice.IntN(3) == 0 {
			t.owlat.Complain(t.address(row))
		} else {
			t.owlat.Bounce(t.address(row), true, "550 no such user")
		}
	}
	return nil
}

func (t *Town) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
}

func (t *Town) address(r *Row) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return r.email()
}

func (t *Town) number() int {
	t.serial++
	return t.serial
}

// mark returns what no event had before.
func (t *Town) mark(n int, key string) string {
	t.marks++
	return fmt.Sprintf("%s/%s/%s/%d", t.name, syncs[n], key, t.marks)
}

// any returns a row that has not left, nil if there is none.
func (t *Town) any(n int) (string, *Row) {
	for range 20 {
		if len(t.order[n]) == 0 {
			return "", nil
		}
		key := t.order[n][t.dice.IntN(len(t.order[n]))]
		if r := t.rows[n][key]; !r.Gone {
			return key, r
		}
	}
	return "", nil
}

// appear makes a row, now and then of somebody who has one in the other table. Who has two does not move: while one of the rows is known
// and the other is not, the address would be taken by another contact, and somebody would have to decide.
func (t *Town) appear(ctx context.Context, n int) error {
	number := t.number()
	key, email := fmt.Sprintf("k%d", number), fmt.Sprintf("p%d@%s.example.com", number, t.name)
	if _, other := t.any(1 - n); other != nil && len(other.Addresses) == 1 && t.dice.IntN(5) == 0 && !t.known(n, t.address(other)) {
		email = t.address(other)
	}
	row := &Row{Key: key, Addresses: []string{email}, Name: fmt.Sprintf("Ann N%d", number)}
	yes := t.dice.IntN(4) > 0
	span, err := t.exec(ctx, "INSERT INTO "+t.table(n)+" (id, email, name, yes, mark) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING", key, email, row.Name, yes, t.mark(n, key))
	t.change(func() {
		t.rows[n][key] = row
		t.order[n] = append(t.order[n], key)
		if yes {
			t.words[n] = append(t.words[n], Word{key, span})
		}
	})
	return err
}

// known reports whether a row of the table ever had the address.
func (t *Town) known(n int, email string) bool {
	for _, r := range t.rows[n] {
		if slices.Contains(r.Addresses, email) {
			return true
		}
	}
	return false
}

// say is the person's own word in the application.
func (t *Town) say(ctx context.Context, n int, key string, yes bool) error {
	span, err := t.exec(ctx, "UPDATE "+t.table(n)+" SET yes = $2 WHERE id = $1", key, yes)
	if yes {
		t.change(func() { t.words[n] = append(t.words[n], Word{key, span}) })
	}
	return err
}

// move gives a row another address, if the person has no other row.
func (t *Town) move(ctx context.Context, n int, key string, row *Row) error {
	if t.known(1-n, t.address(row)) {
		return nil
	}
	email := fmt.Sprintf("m%d@%s.example.com", t.number(), t.name)
	_, err := t.exec(ctx, "UPDATE "+t.table(n)+" SET email = $2, mark = $3 WHERE id = $1", key, email, t.mark(n, key))
	t.change(func() { row.Addresses = append(row.Addresses, email) })
	return err
}

// comeBack lets some people who left say yes again, and returns how many.
func (t *Town) comeBack(ctx context.Context, most int) (done int, err error) {
	suppressed := make(map[string]bool)
	for _, d := range t.owlat.Deliveries() {
		suppressed[suppressedBy(Hook{Body: d.Body})] = true
	}
	for n := range syncs {
		all, err := t.read(ctx, n)
		if err != nil {
			return done, err
		}
		for _, r := range all {
			if done >= most*(n+1) {
				break
			}
			if r.Gone || r.Yes || suppressed[r.email()] || !slices.ContainsFunc(t.owlat.History(r.email()), leftByHand) {
				continue
			}
			if err := t.say(ctx, n, r.Key, true); err != nil {
				return done, err
			}
			t.change(func() { t.rows[n][r.Key].Returned = true })
			done++
		}
	}
	return done, nil
}

// read returns all rows of a table as they are.
func (t *Town) read(ctx context.Context, n int) ([]Row, error) {
	yes := make(map[string]bool)
	found, err := t.pool.Query(ctx, "SELECT id, yes FROM "+t.table(n))
	if err != nil {
		return nil, err
	}
	var key string
	var is bool
	if _, err := pgx.ForEachRow(found, []any{&key, &is}, func() error { yes[key] = is; return nil }); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Row
	for _, key := range t.order[n] {
		r := *t.rows[n][key]
		r.Addresses, r.Yes = slices.Clone(r.Addresses), yes[key]
		if n == Customers {
			r.Name = ""
		}
		all = append(all, r)
	}
	return all, nil
}

// account returns what the judge must know about the town.
func (t *Town) account(ctx context.Context) (syncsOf []Rows, err error) {
	for n, name := range syncs {
		r := Rows{Sync: name, Topic: t.topic(n)}
		if r.Rows, err = t.read(ctx, n); err != nil {
			return nil, err
		}
		t.change(func() { r.Words = slices.Clone(t.words[n]) })
		found, err := t.pool.Query(ctx, "SELECT email, at FROM "+t.table(n)+"_heard")
		if err != nil {
			return nil, err
		}
		if r.Written, err = pgx.CollectRows(found, pgx.RowToStructByPos[Written]); err != nil {
			return nil, err
		}
		syncsOf = append(syncsOf, r)
	}
	return syncsOf, nil
}
