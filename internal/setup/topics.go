package setup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/topics"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Resolve returns the configuration with the ids of topics that it has only by name; if there are none, cfg itself. Owlat tells what the
// names stand for. A name that stood for another id in an earlier run is an error of usage, because people's memberships and opt-outs are
// remembered by the id. If Owlat cannot be reached, what the names stood for then counts. A session without the deployment knows only
// that, and leaves ids empty that it does not know.
func (s *Session) Resolve(ctx context.Context, cfg *config.Config) (*config.Config, error) {
	if !cfg.Unresolved() {
		return cfg, nil
	}
	before, err := remembered(ctx, s.Ledger, cfg)
	if err != nil {
		return nil, err
	}
	if s.Client == nil {
		return before.Apply(cfg), nil
	}
	if s.unsent != nil {
		if before.knows(cfg) {
			return before.Apply(cfg), nil
		}
		return nil, problem.Usage(s.unsent.why)
	}
	book, err := topics.Read(ctx, s.Client, func(ctx context.Context) (string, error) { return knownContact(ctx, s.Ledger, cfg) })
	switch {
	case err == nil:
	case passing(err) && before.knows(cfg):
		if s.opener.Logger != nil {
			s.opener.Logger.Warn("Owlat does not tell what the names of topics stand for; they stand for what they did in the last run", "error", err)
		}
		return before.Apply(cfg), nil
	default:
		return nil, unresolved(err, cfg)
	}
	return Named(cfg, book, before)
}

// passing reports whether an error says nothing about the configuration: it may be gone in a moment.
func passing(err error) bool {
	answer, answered := errors.AsType[*owlat.Error](err)
	_, away := errors.AsType[*owlat.TransportError](err)
	return away || answered && (answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests)
}

// unresolved says what to do where Owlat does not tell what names stand for.
func unresolved(err error, cfg *config.Config) error {
	if hinted := Advise(err, cfg.Owlat); errors.Is(err, topics.ErrNobody) {
		err = problem.Usage(problem.Hint(err, "give the topics' ids in place of their names until there is a contact, or make one in Owlat"))
	} else {
		err = hinted
	}
	return problem.Hint(fmt.Errorf("find out which topics are meant: %w", err), "%s", words.OrElse(problem.HintOf(err), "\"owlat-sync check\" tells more; the topics' ids in place of their names need no such question"))
}

// Memory has what the names of topics stood for in the latest runs that had them: by sync and name, the id.
type Memory map[[2]string]remembrance

type remembrance struct {
	id  string
	run int64
}

// runsRemembered is how many runs of a sync are looked through. The latest that has begun is never dropped.
const runsRemembered = 50

// remembered returns what the ledger knows of the names in the configuration.
func remembered(ctx context.Context, l ledger.Journal, cfg *config.Config) (Memory, error) {
	m := make(Memory)
	for _, sync := range cfg.Syncs {
		if !slices.ContainsFunc(sync.Topics, config.Topic.Unresolved) {
			continue
		}
		runs, err := l.Runs(ctx, sync.Name, runsRemembered)
		if err != nil {
			return nil, fmt.Errorf("look up what the names of topics stood for: %w", err)
		}
		for _, run := range runs {
			if run.Report == nil {
				continue
			}
			for _, t := range run.Report.Topics {
				if at := [2]string{sync.Name, t.Name}; m[at].id == "" {
					m[at] = remembrance{t.ID, run.ID}
				}
			}
		}
	}
	return m, nil
}

// errUnknown means that a name has not stood for anything yet.
var errUnknown = errors.New("no run has had this name yet")

// knows reports whether every name of the configuration stood for something.
func (m Memory) knows(cfg *config.Config) bool {
	_, err := resolve(cfg, func(sync *config.Sync, t config.Topic) (string, error) {
		id := m[[2]string{sync.Name, t.Name}].id
		if id == "" {
			return "", errUnknown
		}
		return id, nil
	})
	return err == nil
}

// Apply returns the configuration with the ids that the names stood for, as far as they are known; Owlat is still to be asked.
func (m Memory) Apply(cfg *config.Config) *config.Config {
	out := copyOf(cfg)
	for i, sync := range out.Syncs {
		for j, t := range sync.Topics {
			if t.Unresolved() {
				out.Syncs[i].Topics[j].ID, out.Syncs[i].Topics[j].Remembered = m[[2]string{sync.Name, t.Name}].id, true
			}
		}
	}
	return out
}

// Remember returns the configuration with the ids that names of topics stood for in earlier runs, for whoever only shows something. Resolve
// asks Owlat all the same.
func Remember(ctx context.Context, l Ledger, cfg *config.Config) (*config.Config, error) {
	if !cfg.Unresolved() {
		return cfg, nil
	}
	m, err := remembered(ctx, l, cfg)
	return m.Apply(cfg), err
}

// Named returns the configuration with the ids of the topics that it names, which the book knows. Its errors are of usage: a name of no
// topic, of several, of one that stands in the sync already, or one that stood for another id before.
func Named(cfg *config.Config, book topics.Book, before Memory) (*config.Config, error) {
	return resolve(cfg, func(sync *config.Sync, t config.Topic) (string, error) {
		id, err := book.Find(t.Name)
		if was := before[[2]string{sync.Name, t.Name}]; was.id != "" && was.id != id {
			return "", moved(book, t.Name, was, id)
		}
		return id, err
	})
}

// moved is the error of a name that stood for another topic before. id is empty if it stands for none now.
func moved(book topics.Book, name string, was remembrance, id string) error {
	what := "that topic is gone"
	if now, there := book.Name(was.id); there {
		what = fmt.Sprintf("that topic is now called %q", now)
	}
	stands, advice := "no topic", ""
	if id != "" {
		stands = "the topic " + id
		advice = fmt.Sprintf("; if the other topic is meant from now on, write \"id: %s\" beside the name, which is a new topic to the sync (see \"existing\")", id)
	}
	return problem.Hint(fmt.Errorf("the name %q stood for the topic %s in run %d, %s, and the name stands for %s; nothing was done, because memberships and opt-outs are remembered by the id",
		name, was.id, was.run, what, stands), "to go on with the topic as before, write \"id: %s\" in place of the name%s", was.id, advice)
}

// resolve returns a copy of the configuration in which topics without an id have the one that find returns. All that is wrong is told at once.
func resolve(cfg *config.Config, find func(*config.Sync, config.Topic) (string, error)) (*config.Config, error) {
	var wrong problem.Several
	out := copyOf(cfg)
	for i := range out.Syncs {
		sync := &out.Syncs[i]
		for j, t := range sync.Topics {
			if !t.Unresolved() {
				continue
			}
			id, err := find(sync, t)
			if err == nil && slices.ContainsFunc(sync.Topics, func(other config.Topic) bool { return !other.Unresolved() && other.ID == id }) {
				err = fmt.Errorf("the name %q stands for the topic %s, which the sync has already", t.Name, id)
			}
			if err != nil {
				wrong = append(wrong, problem.Usage(fmt.Errorf("sync %q, from line %d on: %w", sync.Name, sync.Line, err)))
				continue
			}
			sync.Topics[j].ID, sync.Topics[j].Remembered = id, false
		}
	}
	if len(wrong) > 0 {
		return nil, wrong.Err()
	}
	return out, nil
}

// copyOf returns a copy whose topics may be changed.
func copyOf(cfg *config.Config) *config.Config {
	out := *cfg
	out.Syncs = slices.Clone(cfg.Syncs)
	for i := range out.Syncs {
		out.Syncs[i].Topics = slices.Clone(out.Syncs[i].Topics)
	}
	return &out
}

// Recall reads from the ledger of a configuration what helps to ask Owlat for topics. It changes nothing, and knows nothing if there is no
// ledger that can be read.
type Recall struct {
	Opener
	Config *config.Config
}

// Contact returns the id of a contact, "" if none is known.
func (r Recall) Contact(ctx context.Context) (id string, err error) {
	err = r.look(ctx, func(l Ledger) (err error) {
		id, err = knownContact(ctx, l, r.Config)
		return err
	})
	return id, err
}

// Names returns what the names of topics stood for.
func (r Recall) Names(ctx context.Context) (m Memory, err error) {
	err = r.look(ctx, func(l Ledger) (err error) {
		m, err = remembered(ctx, l, r.Config)
		return err
	})
	return m, err
}

// look calls do with the ledger if it is there and can be read. Whoever needs it tells what is wrong with it.
func (r Recall) look(ctx context.Context, do func(Ledger) error) (err error) {
	r.Reads = true
	is, err := r.Examine(ctx, r.Config)
	if err != nil || is.Missing || is.Outdated {
		return ctx.Err()
	}
	l, err := r.Ledger(ctx, r.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do(l)
}

func knownContact(ctx context.Context, l ledger.Reader, cfg *config.Config) (string, error) {
	for _, sync := range cfg.Syncs {
		for e, err := range l.All(ctx, sync.Name) {
			if err != nil {
				return "", err
			}
			if e.ContactID != "" {
				return e.ContactID, nil
			}
		}
	}
	return "", nil
}
