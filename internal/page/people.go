package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/fed"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/rowlist"
	"owlatsync/internal/page/story"
	"owlatsync/internal/page/troubles"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// peopleRoutes are the addresses of single persons and of what is wrong with rows. Those of persons are for operators: they show addresses.
var peopleRoutes = []route{
	{method: http.MethodGet, path: "/people", role: config.Operator, of: showSearch},
	{method: http.MethodPost, path: "/people", role: config.Operator, of: search},
	{method: http.MethodGet, path: "/people/{id}", role: config.Operator, of: showPerson},
	{method: http.MethodPost, path: "/people/{id}/now", role: config.Operator, of: showPersonNow},
	{method: http.MethodPost, path: "/people/{id}/sources", role: config.Operator, of: showPersonInSources},
	{method: http.MethodPost, path: "/people/{id}/retry", role: config.Operator, of: retryPerson},
	{method: http.MethodGet, path: "/people/{id}/forget", role: config.Operator, of: showForget},
	{method: http.MethodPost, path: "/people/{id}/forget", role: config.Operator, of: forget},
	{method: http.MethodGet, path: "/people/{id}/lift", role: config.Operator, of: showLift},
	{method: http.MethodPost, path: "/people/{id}/lift", role: config.Operator, of: lift},
}

// searchPage is where somebody is looked for.
type searchPage struct {
	Wrong string // what is wrong with what was typed; empty: nothing
	Done  string // what was just done; empty: nothing
}

func showSearch(c *call) error {
	v := searchPage{}
	if rows, err := strconv.Atoi(c.r.URL.Query().Get("forgotten")); err == nil && rows >= 0 {
		v.Done = "The person is forgotten. Rows that were erased: " + number(rows) + "."
	}
	c.show(http.StatusOK, "people", "People", v)
	return nil
}

// search leads to the page of whoever was typed. The form is sent with POST, so that no address of the page has what was typed.
func search(c *call) error {
	word := owlatsync.Trim(c.r.PostForm.Get("word"))
	if word == "" {
		c.show(http.StatusBadRequest, "people", "People", searchPage{Wrong: "Type the key of a row, an e-mail address, or the id of a contact."})
		return nil
	}
	if len(word) > longestWord {
		c.show(http.StatusBadRequest, "people", "People", searchPage{Wrong: "That is longer than any key that the page can look for. Use \"owlat-sync explain\"."})
		return nil
	}
	http.Redirect(c.w, c.r, personAddress(c, person.Subject{Word: word}), http.StatusSeeOther)
	return nil
}

// longestWord is the longest key that can be searched for, in bytes: it travels in an address of the page.
const longestWord = 2000

// personAddress returns the address of the page of somebody.
func personAddress(c *call, who person.Subject) string {
	return c.base + "/people/" + c.marks.Seal(c.d.Name, who)
}

// subjectOf returns whom the address of a request is about.
func subjectOf(c *call) (person.Subject, error) {
	who, ok := c.marks.Open(c.d.Name, c.r.PathValue("id"))
	if !ok {
		return who, &access.Refusal{Status: http.StatusNotFound, Code: "person", Message: "this address of a person is not known, or it is from before the service began",
			Hint: "search for the person again: " + c.base + "/people"}
	}
	return who, nil
}

// findPerson finds out what the ledger knows of whoever the request is about.
func findPerson(c *call) (*person.Person, error) {
	who, err := subjectOf(c)
	if err != nil {
		return nil, err
	}
	ways, err := explain.Proven(c.r.Context(), c.d.Ledger, c.d.Inquiry.Ways())
	if err != nil {
		return nil, err
	}
	return person.Find(c.r.Context(), c.d.Rows, c.d.Inquiry.Configured(), ways, who)
}

// How much of what is known of a person a page has at most, and in how many of the latest write-backs it looks for theirs.
const (
	momentsMost    = 150
	deliveriesRead = 1000
)

// personPage is what is known of a person.
type personPage struct {
	Title   string // the address, or the key
	Self    string // the address of this page
	Verdict story.Answer
	Rows    []rowView
	Moments []story.Moment
	Cut     bool // there are more moments
	Address bool // one is known, so that it can be forgotten
	Barred  bool
	Failing bool
	Remote  bool      // there is a contact that Owlat can be asked for
	Asked   time.Time // when Owlat was asked for what the answer counts with; zero: it was not
	Done    string    // what was just done; empty: nothing
	Unknown bool      // nothing is known of the person
	Lifted  bool      // the suppression, which was all that was recorded of the person, was just lifted
	Forgot  bool      // the ledger was asked to forget them
	Choices []choiceView
	Winner  *winner        // the row that counts instead of the only one that is known of the person; nil: none
	Holder  troubles.Other // the row whose contact has the address that a failing one needs
	Unsent  []sourceView   // what the latest runs read of the person and could not send
	Sources []sourceView
	Looked  bool              // the sources were read
	Waiting []rowlist.Waiting // what plans that wait for approval would do for the person
}

// Found reports whether a source has a row of the person.
func (v personPage) Found() bool {
	return slices.ContainsFunc(v.Sources, func(s sourceView) bool { return s.Unread == "" })
}

// Bad reports whether a row that a source has cannot be sent.
func (v personPage) Bad() bool {
	return slices.ContainsFunc(v.Sources, func(s sourceView) bool { return s.Wrong != "" })
}

// rowView is a row of a person.
type rowView struct {
	Sync, SyncAddress, Key string
	Email, Fields          string
	Contact, Origin        string
	Verdict                story.Answer
	Topics                 []story.Topic
	Kept                   []string // values that stay as Owlat has them although the row says something else
	Now                    *nowView // what Owlat says now; nil: it was not asked
}

// choiceView is a row that may be meant.
type choiceView struct{ Sync, Key, Email, Address string }

func showPerson(c *call) error {
	p, err := findPerson(c)
	if err != nil {
		return err
	}
	done := ""
	switch c.r.URL.Query().Get("done") {
	case "retry":
		done = "The next run tries the rows of this person again."
	case "lift":
		done = "The address is suppressed no longer."
	}
	return showKnown(c, p, nil, nil, done)
}

// showKnown shows what is known of the person; now has what Owlat says, by the id of the contact, and sources what the sources have, nil if they were not read.
func showKnown(c *call, p *person.Person, now map[string]*nowView, sources []sourceView, done string) error {
	v := personPage{
		Title: cmp.Or(p.Address, p.Word, p.Key), Self: c.base + "/people/" + c.r.PathValue("id"), Address: p.Address != "", Barred: p.Barred != nil, Done: done, Sources: sources, Looked: sources != nil,
	}
	if len(p.Choices) == 0 {
		var err error
		if sources == nil {
			v.Unsent = unsentRows(c, p)
		}
		if v.Waiting, err = waitingFor(c, p); err != nil {
			return err
		}
	}
	switch {
	case len(p.Choices) > 0:
		for _, t := range p.Choices {
			v.Choices = append(v.Choices, choiceView{t.Sync.Name, t.Key, person.AddressOf(t), personAddress(c, person.Subject{Sync: t.Sync.Name, Key: t.Key})})
		}
	case !p.Known():
		v.Unknown, v.Lifted = true, c.r.URL.Query().Get("done") == "lift"
		var err error
		if v.Winner, err = winnerOf(c, append(slices.Clone(v.Unsent), sources...)); err != nil {
			return err
		}
		if p.Address != "" {
			forgotten, err := c.d.Rows.Forgotten(c.r.Context(), []string{p.Address})
			if err != nil {
				return err
			}
			v.Forgot = forgotten[p.Address]
		}
	default:
		if err := tell(c, p, &v, now); err != nil {
			return err
		}
	}
	c.show(http.StatusOK, "person", "Person", v) // browsers keep titles: it names nobody
	return nil
}

// waitingFor returns what plans that wait for approval would do for a person.
func waitingFor(c *call, p *person.Person) (all []rowlist.Waiting, err error) {
	if c.d.Decisions == nil {
		return nil, nil
	}
	syncs := configured(c)
	for i := range syncs {
		of, err := rowlist.WaitingFor(c.r.Context(), c.d.Decisions, syncs[i].Name, p.Keys(syncs[i]), p.Address, func(id string) string { return fed.Of(&syncs[i], id, nil).Words() })
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

// tell fills in the rows, the verdict and what happened.
func tell(c *call, p *person.Person, v *personPage, now map[string]*nowView) error {
	for _, t := range p.Tales {
		r := newRowView(c, t)
		if t.Entry != nil {
			v.Failing = v.Failing || t.Entry.Failure != nil
			if f := t.Entry.Failure; f != nil && f.Holder.Key != "" {
				v.Holder = troubles.Other{Sync: f.Holder.Sync, Key: f.Holder.Key, Person: personAddress(c, person.Subject{Sync: f.Holder.Sync, Key: f.Holder.Key})}
			}
			v.Remote = v.Remote || t.Entry.ContactID != ""
			if r.Now = now[t.Entry.ContactID]; r.Now != nil {
				v.Asked = r.Now.Asked
			}
		}
		v.Rows = append(v.Rows, r)
	}
	v.Verdict = p.Answer()
	var deliveries []ledger.Delivery
	if c.d.Outbox != nil {
		var err error
		if deliveries, err = c.d.Outbox.Deliveries(c.r.Context(), "", deliveriesRead); err != nil {
			return err
		}
	}
	v.Moments = story.Moments(p.Tales, p.Heard, deliveries, p.Barred)
	if v.Cut = len(v.Moments) > momentsMost; v.Cut {
		v.Moments = v.Moments[:momentsMost]
	}
	return nil
}

func newRowView(c *call, t *explain.Tale) rowView {
	v := rowView{
		Sync: t.Sync.Name, SyncAddress: syncAddress(c, t.Sync.Name), Key: t.Key, Verdict: story.Of(t), Topics: story.Topics(t),
	}
	if e := t.Entry; e != nil {
		v.Email, v.Fields, v.Contact, v.Origin = e.Email, story.Fields(e.Fields), e.ContactID, story.OriginOf(t)
	}
	v.Kept = story.Kept(t)
	return v
}

// showPersonNow asks Owlat for the contacts of a person, and shows the person with what it says.
func showPersonNow(c *call) error {
	p, err := findPerson(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), asksWithin)
	defer cancel()
	now, asked := make(map[string]*nowView), make(map[string]*explain.Tale)
	for _, t := range p.Tales {
		if t.Entry == nil || t.Entry.ContactID == "" {
			continue
		}
		if told := asked[t.Entry.ContactID]; told != nil {
			t.Remote, t.RemoteErr, t.Members, t.MembersErr = told.Remote, told.RemoteErr, told.Members, told.MembersErr
			continue
		}
		asked[t.Entry.ContactID] = t
		t.AskOwlat(ctx, t.Entry.ContactID, c.d.Inquiry)
		if c.r.Context().Err() != nil {
			return c.r.Context().Err()
		}
		now[t.Entry.ContactID] = newNowView(t, c.d.Ledger.Now())
	}
	return showKnown(c, p, now, nil, "")
}

// asksWithin is how long Owlat may take to say what it has, with the wait for the budget.
const asksWithin = 20 * time.Second

// nowView is what Owlat says of a contact now.
type nowView struct {
	Asked   time.Time
	Says    string
	Changed time.Time // when the contact was last changed; zero: not known
	Differs []string  // how it differs from what the ledger has
	Topics  []string  // on which topics the contact is, as far as that can be read
}

func newNowView(t *explain.Tale, at time.Time) *nowView {
	v := &nowView{Asked: at, Topics: story.OnNow(t)}
	switch {
	case t.Deleted():
		v.Says = "Owlat has no such contact any more."
	case errors.Is(t.RemoteErr, owlat.ErrRateLimited):
		v.Says = "Owlat answers too many requests now. Ask again in a minute."
	case errors.Is(t.RemoteErr, context.DeadlineExceeded):
		v.Says = "Owlat did not answer in time. A run may be using the whole budget: ask again when it has ended."
	case t.RemoteErr != nil:
		v.Says = "Owlat could not be asked: " + t.RemoteErr.Error() + "."
	default:
		v.Says, v.Changed, v.Differs = "Owlat has the contact as it is recorded here.", t.Remote.UpdatedAt, story.Differs(t)
		if len(v.Differs) > 0 {
			v.Says = "Somebody changed the contact in Owlat. \"owlat-sync run --full\" sets it right."
		}
	}
	return v
}

// retryPerson lets the next run try the rows of a person that fail.
func retryPerson(c *call) error {
	p, err := findPerson(c)
	if err != nil {
		return err
	}
	for _, t := range p.Tales {
		if t.Entry != nil && t.Entry.Failure != nil {
			if _, err := retryRows(c, t.Sync.Name, []string{t.Key}); err != nil {
				return err
			}
		}
	}
	http.Redirect(c.w, c.r, c.base+"/people/"+c.r.PathValue("id")+"?done=retry", http.StatusSeeOther)
	return nil
}

// retryRows lets the next run try rows of a sync that fail, all of them without keys, and notes who asked for it.
func retryRows(c *call, sync string, keys []string) (rows int, err error) {
	if rows, err = c.d.Rows.Retry(c.r.Context(), sync, keys, c.d.Rows.Now()); err != nil || rows == 0 {
		return rows, err
	}
	c.log.Info("failed rows are tried again", "account", c.who.Name, "deployment", c.d.Name, "sync", sync, "rows", rows)
	noteHere(c, ledger.AuditLine{What: ledger.DeedRetry, Sync: sync, Count: rows})
	return rows, nil
}

// nextRuns returns when the next runs of the syncs begin, as far as that is known.
func nextRuns(c *call) map[string]time.Time {
	states, _ := c.d.Service.Syncs(c.r.Context()) // without them the page says less
	next := make(map[string]time.Time)
	for i := range states {
		next[states[i].Sync.Sync.Name] = states[i].Next
	}
	return next
}

// toneState returns the state of a sync whose colours a tone has.
func toneState(t story.Tone) string {
	switch t {
	case story.Good:
		return "healthy"
	case story.Waiting:
		return "running"
	case story.Off:
		return "held"
	case story.Bad:
		return "failing"
	}
	return "not scheduled"
}
