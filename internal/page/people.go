package page

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/page/story"
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
	http.Redirect(c.w, c.r, personAddress(c, subject{Word: word}), http.StatusSeeOther)
	return nil
}

// personAddress returns the address of the page of somebody.
func personAddress(c *call, who subject) string {
	return c.base + "/people/" + c.marks.seal(c.d.Name, who)
}

// person is whoever a page is about: rows with one address, or without rows an address of which Owlat told.
type person struct {
	subject
	address string // normalised; empty: none is known
	tales   []*explain.Tale
	heard   []ledger.Feedback // of the address, also without a row
	barred  *ledger.Suppression
	choices []*explain.Tale // rows of several persons that have the key that was typed; there is nothing else then
}

// known reports whether anything is known of the person.
func (p *person) known() bool { return len(p.tales) > 0 || len(p.heard) > 0 || p.barred != nil }

// subjectOf returns whom the address of a request is about.
func subjectOf(c *call) (subject, error) {
	who, ok := c.marks.open(c.d.Name, c.r.PathValue("id"))
	if !ok {
		return who, &access.Refusal{Status: http.StatusNotFound, Code: "person", Message: "this address of a person is not known, or it is from before the service began",
			Hint: "search for the person again: " + c.base + "/people"}
	}
	return who, nil
}

// findPerson finds out what the ledger knows of whoever the request is about.
func findPerson(c *call) (*person, error) {
	who, err := subjectOf(c)
	if err != nil {
		return nil, err
	}
	p := &person{subject: who}
	syncs := c.d.Inquiry.Configured()
	if who.Word == "" {
		return p, p.byKey(c, syncs, map[string]string{who.Sync: who.Key})
	}
	keys := make(map[string]string)
	for i := range syncs {
		keys[syncs[i].Name] = syncs[i].RowKeys([]string{who.Word})[0]
	}
	if p.address, err = owlatsync.NormalizeAddress(who.Word); err == nil {
		return p, p.byAddress(c, syncs, keys)
	}
	p.address = ""
	if err := p.byKey(c, syncs, keys); err != nil || p.known() || len(p.choices) > 0 {
		return p, err
	}
	return p, p.byContact(c, syncs)
}

// byContact finds the rows of the contact whose id was typed.
func (p *person) byContact(c *call, syncs []config.Sync) error {
	sharers, err := c.d.Rows.Sharers(c.r.Context(), []string{p.Word})
	if err != nil {
		return err
	}
	keys := make(map[string]string)
	for _, h := range sharers {
		keys[h.Sync] = h.Entry.Key
	}
	return p.byKey(c, syncs, keys)
}

// byKey finds the rows with the keys, by sync. If they are of one person, it finds that person's other rows, too.
func (p *person) byKey(c *call, syncs []config.Sync, keys map[string]string) error {
	if err := p.add(c, syncs, keys); err != nil {
		return err
	}
	for _, t := range p.tales {
		address := addressOf(t)
		if len(p.tales) > 1 && address != addressOf(p.tales[0]) {
			p.choices, p.tales, p.address = p.tales, nil, ""
			return nil
		}
		p.address = address
	}
	if p.address == "" {
		return nil
	}
	return p.byAddress(c, syncs, nil)
}

// byAddress finds the rows with the address, those with the keys, and what Owlat told of the address.
func (p *person) byAddress(c *call, syncs []config.Sync, keys map[string]string) error {
	holders, err := c.d.Rows.Holders(c.r.Context(), []string{p.address})
	if err != nil {
		return err
	}
	for _, h := range holders {
		if err := p.add(c, syncs, map[string]string{h.Sync: h.Entry.Key}); err != nil {
			return err
		}
	}
	if err := p.add(c, syncs, keys); err != nil {
		return err
	}
	if p.heard, err = c.d.Rows.Feedbacks(c.r.Context(), "", p.address, 0, heardMost); err != nil {
		return err
	}
	barred, err := c.d.Rows.Suppressions(c.r.Context(), []string{p.address})
	if s, there := barred[p.address]; there {
		p.barred = &s
	}
	return err
}

// add adds the rows with the keys, by sync, of which the ledger knows.
func (p *person) add(c *call, syncs []config.Sync, keys map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key := keys[name]
		if slices.ContainsFunc(p.tales, func(t *explain.Tale) bool { return t.Sync.Name == name && t.Key == key }) {
			continue
		}
		sync := config.Sync{Name: name}
		if i := slices.IndexFunc(syncs, func(s config.Sync) bool { return s.Name == name }); i >= 0 {
			sync = syncs[i]
		}
		t, err := explain.Of(c.r.Context(), c.d.Rows, sync, key)
		if err != nil {
			return err
		}
		if t != nil {
			p.tales = append(p.tales, t)
		}
	}
	return nil
}

// addressOf returns the address of a row as the ledger has it, empty if it has none.
func addressOf(t *explain.Tale) string {
	if t.Entry == nil {
		return ""
	}
	return cmp.Or(t.Entry.Email, t.Entry.Identity)
}

// How much of what is known of a person a page has at most, and in how many of the latest write-backs it looks for theirs.
const (
	heardMost      = 50
	momentsMost    = 150
	deliveriesRead = 1000
)

// personPage is what is known of a person.
type personPage struct {
	Title   string // the address, or the key
	Self    string // the address of this page
	Verdict story.Verdict
	Rows    []rowView
	Moments []story.Moment
	Cut     bool // there are more moments
	Address bool // one is known, so that it can be forgotten
	Barred  bool
	Failing bool
	Remote  bool   // there is a contact that Owlat can be asked for
	Done    string // what was just done; empty: nothing
	Unknown bool   // nothing is known of the person
	Forgot  bool   // the ledger was asked to forget them
	Choices []choiceView
	Sources []sourceView
	Looked  bool // the sources were read
}

// rowView is a row of a person.
type rowView struct {
	Sync, SyncAddress, Key string
	Email, Fields          string
	Contact, Origin        string
	Verdict                story.Verdict
	Topics                 []story.Topic
	Now                    *nowView // what Owlat says now; nil: it was not asked
	Command                string   // that reads the source, too
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
	return p.show(c, nil, nil, done)
}

// show shows what is known of the person; now has what Owlat says, by the id of the contact, and sources what the sources have, nil if they were not read.
func (p *person) show(c *call, now map[string]*nowView, sources []sourceView, done string) error {
	v := personPage{
		Title: cmp.Or(p.address, p.Word, p.Key), Self: c.base + "/people/" + c.r.PathValue("id"), Address: p.address != "", Barred: p.barred != nil, Done: done, Sources: sources, Looked: sources != nil,
	}
	switch {
	case len(p.choices) > 0:
		for _, t := range p.choices {
			v.Choices = append(v.Choices, choiceView{t.Sync.Name, t.Key, addressOf(t), personAddress(c, subject{Sync: t.Sync.Name, Key: t.Key})})
		}
	case !p.known():
		v.Unknown = true
		if p.address != "" {
			forgotten, err := c.d.Rows.Forgotten(c.r.Context(), []string{p.address})
			if err != nil {
				return err
			}
			v.Forgot = forgotten[p.address]
		}
	default:
		if err := p.tell(c, &v, now); err != nil {
			return err
		}
	}
	c.show(http.StatusOK, "person", straight(v.Title), v)
	return nil
}

// tell fills in the rows, the verdict and what happened.
func (p *person) tell(c *call, v *personPage, now map[string]*nowView) error {
	for _, t := range p.tales {
		r := newRowView(c, t)
		if t.Entry != nil {
			v.Failing = v.Failing || t.Entry.Failure != nil
			v.Remote = v.Remote || t.Entry.ContactID != ""
			r.Now = now[t.Entry.ContactID]
		}
		v.Rows = append(v.Rows, r)
	}
	v.Verdict = p.verdict()
	var deliveries []ledger.Delivery
	if c.d.Outbox != nil {
		var err error
		if deliveries, err = c.d.Outbox.Deliveries(c.r.Context(), "", deliveriesRead); err != nil {
			return err
		}
	}
	v.Moments = story.Moments(p.tales, p.heard, deliveries)
	if v.Cut = len(v.Moments) > momentsMost; v.Cut {
		v.Moments = v.Moments[:momentsMost]
	}
	return nil
}

// verdict is about all rows of the person: what stops everything comes first, then the row that says the most.
func (p *person) verdict() story.Verdict {
	if p.barred != nil {
		return story.Suppressed(*p.barred)
	}
	if len(p.tales) == 0 {
		return story.Verdict{Tone: story.Unknown, Says: "The ledger has no row with this address, but Owlat told of it.", Do: "If the source has the person, ask for a run, or look why the row cannot be sent."}
	}
	all := make([]story.Verdict, len(p.tales))
	for i, t := range p.tales {
		all[i] = story.Of(t)
	}
	worst := story.Worst(all)
	v := all[worst]
	if len(all) > 1 {
		v.Says = p.tales[worst].Sync.Name + ": " + v.Says
	}
	return v
}

func newRowView(c *call, t *explain.Tale) rowView {
	v := rowView{
		Sync: t.Sync.Name, SyncAddress: syncAddress(c, t.Sync.Name), Key: t.Key, Verdict: story.Of(t), Topics: story.Topics(t), Command: command(c.d.Name, "explain KEY"),
	}
	if e := t.Entry; e != nil {
		v.Email, v.Fields, v.Contact, v.Origin = e.Email, story.Fields(e.Fields), e.ContactID, story.OriginOf(t)
	}
	return v
}

// showPersonNow asks Owlat for the contacts of a person, and shows the person with what it says.
func showPersonNow(c *call) error {
	p, err := findPerson(c)
	if err != nil {
		return err
	}
	now := make(map[string]*nowView)
	for _, t := range p.tales {
		if t.Entry == nil || t.Entry.ContactID == "" || now[t.Entry.ContactID] != nil {
			continue
		}
		t.Remote, t.RemoteErr = c.d.Inquiry.Contact(c.r.Context(), t.Entry.ContactID)
		if c.r.Context().Err() != nil {
			return c.r.Context().Err()
		}
		now[t.Entry.ContactID] = newNowView(t, c.d.Ledger.Now())
	}
	return p.show(c, now, nil, "")
}

// nowView is what Owlat says of a contact now.
type nowView struct {
	Asked   time.Time
	Says    string
	Changed time.Time // when the contact was last changed; zero: not known
	Differs []string  // how it differs from what the ledger has
}

func newNowView(t *explain.Tale, at time.Time) *nowView {
	v := &nowView{Asked: at}
	switch {
	case t.Deleted():
		v.Says = "Owlat has no such contact any more."
	case errors.Is(t.RemoteErr, owlat.ErrRateLimited):
		v.Says = "Owlat answers too many requests now. Ask again in a minute."
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
	for _, t := range p.tales {
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
