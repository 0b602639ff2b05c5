package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/internal/events"
	"owlatsync/reconcile/progress"
)

const (
	longest   = 7900 // bytes of a notification; PostgreSQL takes 8000
	unsaid    = 256  // events that wait to be told
	hearAfter = time.Second
)

// voice tells the other nodes what happens here, and hears what happens there. Nobody waits for it, and what is lost is lost: whoever
// must know looks into the ledger.
type voice struct {
	node    *Node
	channel string
	out     chan message

	mu       sync.Mutex
	progress map[string]time.Time // when it was last told, by deployment
	states   map[goesOn]heardState
}

// goesOn is a run that goes on at another node.
type goesOn struct {
	deployment string
	run        int64
}

// heardState is how far a run was when that was heard.
type heardState struct {
	progress.State
	at time.Time
}

// heardFor is how long what was heard of a run counts. A run brings its record up to date as often, which counts then.
const heardFor = 10 * time.Second

// note keeps how far a run is.
func (v *voice) note(deployment string, st progress.State, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.states, func(_ goesOn, h heardState) bool { return now.Sub(h.at) >= heardFor })
	v.states[goesOn{deployment, st.Run}] = heardState{st, now}
}

// forget drops what was heard of a run that has ended.
func (v *voice) forget(deployment string, run int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.states, goesOn{deployment, run})
}

// state returns how far a run of another node is, as far as that was heard.
func (v *voice) state(deployment string, run int64, now time.Time) (progress.State, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h, ok := v.states[goesOn{deployment, run}]
	return h.State, ok && now.Sub(h.at) < heardFor
}

// progressEvery is how often other nodes are told how far a run is, a little less than runs tell it.
const progressEvery = 900 * time.Millisecond

// mayProgress reports whether others are to be told how far the run of a deployment is, and notes that they are.
func (v *voice) mayProgress(deployment string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.progress[deployment]) < progressEvery {
		return false
	}
	v.progress[deployment] = now
	return true
}

// message is an event on its way to other nodes.
type message struct {
	Node       string       `json:"node"`
	Deployment string       `json:"deployment,omitempty"`
	Event      events.Event `json:"event"`
	// State is how far the run is that the event is about; nil: it does not go on, or that would be too long.
	State *progress.State `json:"state,omitempty"`
}

func newVoice(n *Node) *voice {
	return &voice{node: n, channel: n.o.Schema + ".owlat_sync_events", out: make(chan message, unsaid), progress: make(map[string]time.Time), states: make(map[goesOn]heardState)}
}

// Tell tells other nodes of an event. It never waits. Rows are not told, which are many, and of the progress of a deployment's runs what is
// new after a second. With an event goes how far its run is.
func (n *Node) Tell(deployment string, e events.Event) {
	if e.Kind == events.Row || e.Kind == events.Lost || n.o.PollOnly || e.Kind == events.Progress && !n.voice.mayProgress(deployment) {
		return
	}
	n.voice.say(deployment, e)
}

// say lets an event wait to be told, unless too many do.
func (v *voice) say(deployment string, e events.Event) {
	s := message{Node: v.node.o.ID, Deployment: deployment, Event: e}
	if h := v.node.home(deployment); h != nil && e.Run != 0 && e.Kind != events.Ended {
		if st, ok := h.Progress(e.Run); ok {
			s.State = &st
		}
	}
	select {
	case v.out <- s:
	default:
	}
}

// speak tells what waits, several at once.
func (v *voice) speak(ctx context.Context) {
	for {
		var b pgx.Batch
		select {
		case <-ctx.Done():
			return
		case s := <-v.out:
			v.add(&b, s)
		}
		for more := true; more && b.Len() < 50; {
			select {
			case s := <-v.out:
				v.add(&b, s)
			default:
				more = false
			}
		}
		c, done := context.WithTimeout(ctx, closing)
		if err := v.node.o.Pool.SendBatch(c, &b).Close(); err != nil && ctx.Err() == nil {
			v.node.log.Debug("other nodes are not told what happens here", "error", err)
		}
		done()
	}
}

func (v *voice) add(b *pgx.Batch, s message) {
	text, err := json.Marshal(s)
	if err == nil && len(text) > longest {
		s.State = nil
		text, err = json.Marshal(s)
	}
	if err == nil && len(text) > longest {
		s.Event.Data = nil
		text, err = json.Marshal(s)
	}
	if err == nil && len(text) <= longest {
		b.Queue("SELECT pg_notify($1, $2)", v.channel, string(text))
	}
}

// listen hears what other nodes tell, also after the connection is lost.
func (v *voice) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := v.hear(ctx); err != nil && ctx.Err() == nil {
			v.node.log.Debug("what other nodes tell is not heard for a moment", "error", err)
		}
		timer := time.NewTimer(hearAfter)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (v *voice) hear(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, v.node.o.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{v.channel}.Sanitize()); err != nil {
		return err
	}
	for {
		// A connection that was cut without a word is found out by asking it.
		c, done := context.WithTimeout(ctx, 10*time.Second)
		notification, err := conn.WaitForNotification(c)
		done()
		switch {
		case err == nil:
			v.tell(notification.Payload)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) && !conn.IsClosed():
			c, done := context.WithTimeout(ctx, closing)
			err := conn.Ping(c)
			done()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (v *voice) tell(payload string) {
	var s struct {
		message
		Event struct {
			events.Event
			Data json.RawMessage `json:"data,omitempty"`
		} `json:"event"`
	}
	if json.Unmarshal([]byte(payload), &s) != nil || s.Node == v.node.o.ID {
		return
	}
	e := s.Event.Event
	switch {
	case e.Kind == events.Ended:
		v.forget(s.Deployment, e.Run)
	case s.State != nil:
		v.note(s.Deployment, *s.State, time.Now())
	}
	if v.node.o.Hear == nil {
		return
	}
	if e.ID = 0; len(s.Event.Data) > 0 {
		e.Data = s.Event.Data
	}
	v.node.o.Hear(s.Deployment, e)
}

// arriveWithin is how long a notification may take that is only a trial.
const arriveWithin = 2 * time.Second

// notificationsArrive tries whether notifications do, which they do not through a pooler of transactions.
func notificationsArrive(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig.Copy())
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	channel, word := "owlat_sync_trial_"+rand.Text(), rand.Text()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return false, nil //nolint:nilerr // a server that knows no LISTEN sends none
	}
	if _, err := pool.Exec(ctx, "SELECT pg_notify($1, $2)", channel, word); err != nil {
		return false, err
	}
	c, done := context.WithTimeout(ctx, arriveWithin)
	defer done()
	notification, err := conn.WaitForNotification(c)
	if err != nil {
		return false, ctx.Err()
	}
	_, _ = conn.Exec(ctx, "UNLISTEN *")
	return notification.Payload == word, nil
}
