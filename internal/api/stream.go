package api

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// maxStreams is how many streams of events can be open at once. Of several deployments, each can have an eighth of them.
const maxStreams = 512

// places counts the streams that are open. It is safe for concurrent use.
type places struct {
	mu   sync.Mutex
	most int
	all  int
	of   map[string]int // by deployment
}

// enter takes a place for a stream, and returns what gives it back; ok is false if there is none.
func (p *places) enter(deployment string) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == p.most || deployment != "" && p.of[deployment] == max(1, p.most/8) {
		return nil, false
	}
	if p.of == nil {
		p.of = make(map[string]int)
	}
	p.all++
	p.of[deployment]++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.of[deployment]--; p.of[deployment] == 0 {
			delete(p.of, deployment)
		}
	}), true
}

const (
	// streamBeat is how often a stream in which nothing happens says that it is alive; proxies end one that is silent for longer.
	streamBeat = 15 * time.Second
	// streamLook is how often is looked whether a run goes on of which nothing is told. Its record is brought up to date every ten seconds.
	streamLook = 5 * time.Second
	// streamWrite is how long a client may take to receive what was sent.
	streamWrite = 20 * time.Second
	// streamRetry is how long a client waits before it comes back.
	streamRetry = 2 * time.Second
)

// streams tells what happens to whoever follows.
type streams struct{ views }

// stream is a stream of server-sent events.
type stream struct {
	c       *call
	control *http.ResponseController
	text    bytes.Buffer // to be sent
}

// open begins a stream; end gives its place back.
func (f streams) open(c *call) (s *stream, end func(), err error) {
	leave, ok := f.streams.enter(f.d.Name)
	if !ok {
		return nil, nil, busy("too many streams of events are open")
	}
	s = &stream{c: c, control: http.NewResponseController(c.w)}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.text.WriteString("retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n")
	return s, leave, nil
}

// add adds an event; an id of 0 leaves the client with the id before.
func (s *stream) add(id int64, kind events.Kind, v any) {
	if id != 0 {
		s.text.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	s.text.WriteString("event: " + string(kind) + "\ndata: ")
	s.text.Write(words.JSON(v)) // one line
	s.text.WriteByte('\n')
}

// flush sends what was added, or a comment if that is nothing.
func (s *stream) flush() error {
	if s.text.Len() == 0 {
		s.text.WriteString(":\n\n")
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	_, err := s.c.w.Write(s.text.Bytes())
	s.text.Reset()
	if err != nil {
		return err
	}
	return s.control.Flush()
}

// lastEvent returns the ID of the last event that the client has had; 0: none.
func lastEvent(r *http.Request, q *query) int64 {
	after := q.number("after", 1, 1<<62, 0)
	if id, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil && id > 0 {
		after = id
	}
	return after
}

// event returns an event as it is told.
func (f streams) event(e events.Event) events.Event {
	if row, ok := e.Data.(events.RowData); ok && row.Key != "" && !f.harmless(e.Sync, row.Key) {
		row.Key = ""
		e.Data = row
	}
	e.At = e.At.UTC()
	return e
}

// kindRun is the event that a stream of a run begins with: the run as it is.
const kindRun events.Kind = "run"

func (f streams) eventsOfRun(c *call) error {
	id, err := runNumber(c.r)
	if err != nil {
		return err
	}
	q := newQuery(c.r)
	after := lastEvent(c.r, q)
	if err := q.done(); err != nil {
		return err
	}
	told, cancel := f.d.Hub.Subscribe(events.Filter{Run: id, After: after}) // before the run is read, so that nothing is missed
	defer cancel()
	r, err := f.record(c.r.Context(), id)
	if err != nil {
		return err
	}
	if after != 0 && !goesOn(r.Status) && (len(told) == 0 || after >= endOf(r)) { // the client has had everything: this keeps it from coming back
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s, end, err := f.open(c)
	if err != nil {
		return err
	}
	defer end()
	s.add(0, kindRun, f.newRunJSON(r, c.sees()))
	var heard time.Time
	return f.follow(s, told, func(e *events.Event) bool {
		if e != nil {
			heard = time.Now()
			return e.Kind == events.Ended
		}
		if time.Since(heard) < streamLook && goesOn(r.Status) {
			return false
		}
		// The run may be that of another process, of which the hub knows nothing, or have ended before the stream began.
		before := r
		r, err = f.record(c.r.Context(), id)
		switch {
		case err != nil:
			r = before
			return false
		case goesOn(r.Status):
			if r.Status != before.Status || !r.Heartbeat.Equal(before.Heartbeat) {
				s.add(0, kindRun, f.newRunJSON(r, c.sees()))
			}
			return false
		}
		ended := events.Event{ID: endOf(r), At: r.Finished.UTC(), Kind: events.Ended, Sync: r.Sync, Run: r.ID, Data: events.EndData{Status: r.Status, Message: r.Message, Report: r.Report}}
		s.add(ended.ID, ended.Kind, ended)
		return true
	})
}

// endOf returns an ID for the end of a run that the hub does not know any more, so that a client which comes back has had it.
func endOf(r ledger.Run) int64 {
	for _, t := range []time.Time{r.Finished, r.Heartbeat, r.Started} {
		if !t.IsZero() {
			return t.UnixMicro()
		}
	}
	return 1
}

func (f streams) events(c *call) error {
	q := newQuery(c.r)
	want := events.Filter{Sync: q.text("sync"), After: lastEvent(c.r, q)}
	known := make([]string, len(events.Kinds))
	for i, k := range events.Kinds {
		known[i] = string(k)
	}
	for _, kind := range strings.FieldsFunc(q.text("kinds"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(known, kind) {
			q.fail("%.100q is no kind of event; there are %s", kind, strings.Join(known, ", "))
		}
		want.Kinds = append(want.Kinds, events.Kind(kind))
	}
	if err := q.done(); err != nil {
		return err
	}
	told, cancel := f.d.Hub.Subscribe(want)
	defer cancel()
	s, end, err := f.open(c)
	if err != nil {
		return err
	}
	defer end()
	return f.follow(s, told, func(*events.Event) bool { return false })
}

// follow sends events until the client leaves, its token is taken away, the service stops, or last says so: of an event that was added,
// or of nil, which asks whether it is over anyway.
func (f streams) follow(s *stream, told <-chan events.Event, last func(*events.Event) bool) error {
	if s.c.r.Method == http.MethodHead {
		return nil
	}
	beat, look := time.NewTicker(streamBeat), time.NewTicker(streamLook)
	defer beat.Stop()
	defer look.Stop()
	over, open := false, true
	take := func(e events.Event, ok bool) {
		if open = ok; !open {
			return
		}
		e = f.event(e)
		s.add(e.ID, e.Kind, e)
		over = last(&e)
	}
	changed := f.parts.Gate.Changed()
	for ask, check, quiet := true, true, false; ; {
		if check {
			if who, err := f.parts.Gate.Require(s.c.r, config.Viewer); err != nil || !who.Reaches(f.d.Name) {
				return nil
			}
		}
		for len(told) > 0 && open && !over {
			e, ok := <-told
			take(e, ok)
		}
		if ask && !over {
			over = last(nil)
		}
		if !quiet || s.text.Len() > 0 {
			if err := s.flush(); err != nil {
				return nil // the client has left
			}
		}
		if over || !open {
			return nil // it has everything
		}
		ask, check, quiet = false, false, false
		select {
		case e, ok := <-told:
			take(e, ok)
		case <-beat.C:
			ask = true
		case <-look.C:
			ask, quiet = true, true
		case <-changed:
			changed, check = f.parts.Gate.Changed(), true
		case <-f.closed:
			return nil
		case <-s.c.r.Context().Done():
			return nil
		}
	}
}
