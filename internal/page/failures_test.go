package page

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/heard"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// TestFailuresByReason: each with what to do; viewers see numbers and reasons, and nobody's address.
func TestFailuresByReason(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.leaves()
	f.stands.runs = runsBefore(noon, 1)
	f.stands.runs[0].Summary, f.stands.runs[0].Report.Outcomes[owlatsync.Invalid] = &owlatsync.Summary{}, 1234
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	for name, got := range map[string]reply{"operator": b.get("/failures"), "viewer": viewer.get("/failures")} {
		said := wordsOf(got.body)
		if got.status != http.StatusOK || len(got.body) > 100<<10 || !containsAll(said, []string{
			"2 rows: Owlat does not have the topic", "What to do. Owlat does not have the topic. Correct its id in the configuration", "1 row: no answer in time", "1 given up", "next try not before",
			"1 row: another contact has the address", "1,234 rows that cannot be sent", "1,234 that Owlat would refuse (invalid), and 0 for which another row counts (duplicate)", "1 given up, 0 wait", "the target answers", "at most 8 attempts",
		}) {
			t.Errorf("%s sees %d:\n%s", name, got.status, said)
		}
		if sees := strings.Contains(got.body, "@example.com"); sees != (name == "operator") || strings.Contains(got.body, "/failures/retry") != sees || strings.Contains(got.body, `href="/people`) != sees {
			t.Errorf("%s sees addresses, or may act: %v\n%s", name, sees, said)
		}
		if strings.Contains(got.body, "Ada") {
			t.Errorf("%s sees a name", name)
		}
		harmless(t, name, got.body)
	}
	if got := wordsOf(viewer.get("/failures").body); !strings.Contains(got, "Row Next try 2 when it changes 3 not before") {
		t.Errorf("a viewer does not see keys that are nobody's: %s", got)
	}
}

func TestNothingFails(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.syncs = nil
	b := w.browser()
	b.signIn("ada", password)
	if got := b.get("/failures"); got.status != http.StatusOK || !containsAll(wordsOf(got.body), []string{"No row fails.", "will stand here", "Nothing waits to be told"}) {
		t.Errorf("%d %s", got.status, wordsOf(got.body))
	}
	if got := b.get("/feedback"); got.status != http.StatusOK || !containsAll(wordsOf(got.body), []string{"No webhook has come yet.", "None. Addresses whose mail comes back"}) {
		t.Errorf("%d %s", got.status, wordsOf(got.body))
	}
}

// waiting lists the rows of a sync that are not tried again by themselves or wait for a later time.
func (f *folk) waiting(sync string) (keys []string) {
	f.t.Helper()
	for e, err := range f.Open(f.t.Context(), sync) {
		if err != nil {
			f.t.Fatal(err)
		}
		if e.Failure != nil && e.Failure.Attempts > 0 {
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

var rowValue = regexp.MustCompile(`name="row" value="([^"]*)"> <span><bdi>([^<]*)</bdi>`)

// TestRetryingRows: one, those of a reason, and all of a sync.
func TestRetryingRows(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	b := w.browser()
	b.signIn("ada", password)
	ids := make(map[string]string)
	body := b.get("/failures").body
	for _, found := range rowValue.FindAllStringSubmatch(body, -1) {
		ids[found[2]] = found[1]
	}
	if got := b.send("/failures", "/failures/retry", "sync", "users", "what", "some"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "No row was chosen") {
		t.Errorf("none: %d", got.status)
	}
	if got := b.send("/failures", "/failures/retry", "sync", "web", "what", "some", "row", ids["2"]); got.status != http.StatusBadRequest {
		t.Errorf("a row of another sync: %d", got.status)
	}
	if got := b.send("/failures", "/failures/retry", "sync", "nobody", "what", "all"); got.status != http.StatusNotFound {
		t.Errorf("a sync that is not there: %d", got.status)
	}
	if got := f.waiting("users"); len(got) != 3 || len(f.waiting("web")) != 1 {
		t.Fatalf("something was done: %q", got)
	}
	got := b.send("/failures", "/failures/retry", "sync", "users", "what", "some", "row", ids["2"])
	if got.path != "/failures?retried=1" || !strings.Contains(got.body, "Rows that the next run tries again: 1.") || !slices.Equal(f.waiting("users"), []string{"3", nasty}) {
		t.Errorf("one: %d at %s, left %q", got.status, got.path, f.waiting("users"))
	}
	group := regexp.MustCompile(`name="group" value="([^"]*)"`).FindStringSubmatch(body)[1] // the largest
	b.send("/failures", "/failures/retry", "sync", "users", "what", "group", "group", group)
	if got := f.waiting("users"); !slices.Equal(got, []string{nasty}) {
		t.Errorf("after a group, left %q", got)
	}
	if got := b.send("/failures", "/failures/retry", "sync", "users", "what", "group", "group", "x"); got.path != "/failures?retried=0" || len(f.waiting("users")) != 1 {
		t.Errorf("a group that is not there: %s", got.path)
	}
	path := b.find(nasty).path
	if got := b.send(path, path+"/retry"); !strings.Contains(got.body, "The next run tries the rows of this person again.") || len(f.waiting("users")) != 0 {
		t.Errorf("from the page of a person: %d", got.status)
	}
	b.send("/failures", "/failures/retry", "sync", "web", "what", "all")
	if got := f.waiting("web"); len(got) != 0 {
		t.Errorf("after all, left %q", got)
	}
	if audit := w.all[""].audited(); !slices.Equal(audit[1:], []string{"ada retry by page 1", "ada retry by page 2", "ada retry by page 1", "ada retry by page 1"}) {
		t.Errorf("the audit has %q", audit)
	}
	if strings.Contains(w.log.String(), "example.com") {
		t.Errorf("the log has an address:\n%s", w.log)
	}
}

// TestRetryingWriteBacks: the ticked ones, or all.
func TestRetryingWriteBacks(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.leaves()
	b := w.browser()
	list := b.signIn("ada", password)
	if !containsAll(wordsOf(list.body), []string{"could not be written back, and was given up: 1."}) || !strings.Contains(list.body, `href="/failures#write-backs"`) {
		t.Errorf("the overview does not lead to dead letters: %s", wordsOf(list.body))
	}
	dead := func() int {
		all, err := f.Deliveries(t.Context(), ledger.DeliveryDead, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if got := b.send("/failures", "/failures/write-backs", "what", "some"); got.status != http.StatusBadRequest || dead() != 1 {
		t.Errorf("none: %d", got.status)
	}
	id := regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(b.get("/failures").body)[1]
	if got := b.send("/failures", "/failures/write-backs", "what", "some", "id", id); got.path != "/failures?told=1" || dead() != 0 {
		t.Errorf("%d at %s, dead %d", got.status, got.path, dead())
	}
	if got := b.send("/failures", "/failures/write-backs", "what", "all"); got.path != "/failures?told=0" {
		t.Errorf("again: %s", got.path)
	}
	if audit := w.all[""].audited(); !slices.Equal(audit[1:], []string{"ada write-back retry by page 1"}) {
		t.Errorf("the audit has %q", audit)
	}
}

// TestUnsendableRows are listed by reading the source, when somebody asks.
func TestUnsendableRows(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	for i := range 60 {
		f.unsendable = append(f.unsendable, reconcile.Trouble{Key: fmt.Sprint(i), Position: fmt.Sprint("line ", i), Address: nasty, What: "invalid", Category: ledger.CategorySource, Reason: "the address has no \"@\" " + nasty})
	}
	f.unsendable = append(f.unsendable, reconcile.Trouble{Position: "line 99", What: "duplicate", Category: ledger.CategorySource, Reason: "the row with key 1 counts", Instead: &step.Instead{Key: "1"}},
		reconcile.Trouble{Position: "line 100", What: "invalid", Category: ledger.CategorySource, Reason: owlatsync.ErrAddressEmpty.Error()})
	b := w.browser()
	b.signIn("ada", password)
	got := b.send("/failures", "/failures/unsendable", "sync", "users")
	if !containsAll(wordsOf(got.body), []string{"Such rows: 62.", "60 rows: the address has no", "Others with this reason: 40.", "1 row: another row has the same address, and counts instead", "Correct in the source what the reason names",
		"line 99", "Counts instead", "row 1", "What to do. Fill in the address", "no address"}) || got.status != http.StatusOK {
		t.Errorf("%d: %s", got.status, wordsOf(got.body))
	}
	harmless(t, "unsendable", got.body)
	f.unreadable = errUnreadable
	if got := b.send("/failures", "/failures/unsendable", "sync", "users"); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "secretpart") || !strings.Contains(got.body, "The log of the service says why") {
		t.Errorf("an unreadable source: %d %s", got.status, wordsOf(got.body))
	}
	if got := b.send("/failures", "/failures/unsendable", "sync", "nobody"); got.status != http.StatusNotFound {
		t.Errorf("a sync that is not there: %d", got.status)
	}
}

// TestRowsThatNoRunCouldSend are listed as the latest run told of them, without a look at the source, with the rows that count instead.
func TestRowsThatNoRunCouldSend(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.stands.runs = runsBefore(noon, 2)
	f.stands.runs[0].Summary = &owlatsync.Summary{Reading: &owlatsync.Reading{Mode: owlatsync.ReadChanges}} // says nothing of the other rows
	f.stands.runs[1].Summary, f.stands.runs[1].Report.Outcomes[owlatsync.Invalid], f.stands.runs[1].Report.Outcomes[owlatsync.Duplicate] = &owlatsync.Summary{}, 1, 2
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	if got := wordsOf(b.get("/failures").body); !containsAll(got, []string{"3 rows that cannot be sent", "1 that Owlat would refuse (invalid), and 2 for which another row counts (duplicate)", "Which rows these are stands here after the next run"}) {
		t.Errorf("before a run has told: %s", got)
	}
	f.unsent = map[string]api.Unsent{"users": {Run: 41, At: noon, Rows: []api.UnsentRow{
		{Trouble: reconcile.Trouble{Sync: "users", Key: "7", Position: "row 190", What: "invalid", Reason: "the address is empty"}},
		{Trouble: reconcile.Trouble{Sync: "users", Key: "8", What: "duplicate", Reason: "x", Instead: &step.Instead{Key: "1"}}},
		{Trouble: reconcile.Trouble{Sync: "users", Key: "9", What: "duplicate", Reason: "x", Instead: &step.Instead{Key: "1", Differs: true}}},
	}}}
	for name, at := range map[string]*browser{"operator": b, "viewer": viewer} {
		got := at.get("/failures")
		said := wordsOf(got.body)
		if !containsAll(said, []string{"1 row: the address is empty", "Fill in the address", "1 row: another row has the same address, and counts instead; the two consent to different topics", "or let a yes of either count", "Row Counts instead 8 row 1", "As run 41 found them"}) ||
			strings.Contains(said, "row 190") {
			t.Errorf("%s: %s", name, said)
		}
		if links := strings.Contains(got.body, `">row <bdi>1</bdi></a>`); links != (name == "operator") {
			t.Errorf("%s gets to the row that counts: %v", name, links)
		}
	}
}

// TestWhenARetryIsMade: by the next run, and not when somebody asked for it.
func TestWhenARetryIsMade(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	next := noon.Add(3 * time.Hour)
	f.stands.states = []api.SyncState{{Sync: standing.Sync{Sync: f.syncs[0]}, Next: next}}
	b := w.browser()
	b.signIn("ada", password)
	b.send("/failures", "/failures/retry", "sync", "users", "what", "all")
	got := wordsOf(b.get("/failures").body)
	if strings.Count(got, "with the next run, 2026-03-01 15:00:00 UTC") != 5 || strings.Contains(got, "not before") {
		t.Error(got)
	}
}

// TestFeedbackIsShown by kind and part by part; viewers see nobody's address.
func TestFeedbackIsShown(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.leaves()
	for i := range byte(heard.Listed) {
		f.hear(10+i, ledger.News{Feedback: ledger.Feedback{Event: owlat.WebhookContactCreated, ContactID: "k50", Email: "new@example.com", Kind: nasty}})
	}
	f.bounces(220, "dan@example.com", ledger.Bounced)
	f.bounces(221, "eve@example.com", ledger.Complained)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	for name, at := range map[string]*browser{"operator": b, "viewer": viewer} {
		got := at.get("/feedback?event=all")
		if said := wordsOf(got.body); got.status != http.StatusOK || len(got.body) > 100<<10 || !containsAll(said, []string{"A mail came back for good (hard bounce).", "The person marked a mail as spam.", "1 bounced for good. 1 complained.", "Older ones"}) {
			t.Errorf("%s: %d with %d bytes: %s", name, got.status, len(got.body), said)
		}
		if sees := strings.Contains(got.body, "example.com"); sees != (name == "operator") || strings.Contains(got.body, "/lift") != sees {
			t.Errorf("%s sees addresses: %v", name, sees)
		}
		harmless(t, name, got.body)
	}
	if got := wordsOf(b.get("/feedback").body); !containsAll(got, []string{"The person left Newsletter", "came back for good", "marked a mail as spam"}) || strings.Contains(got, "The contact was made in Owlat.") || strings.Contains(got, "Older ones") {
		t.Errorf("what matters is not what is listed first: %s", got)
	}
	left := wordsOf(b.get("/feedback?event=topic.unsubscribed").body)
	if !strings.Contains(left, "The person left Newsletter") || strings.Contains(left, "The contact was made in Owlat.") {
		t.Errorf("opt-outs: %s", left)
	}
	older := regexp.MustCompile(`href="(/feedback\?before=\d+&amp;event=all)"`).FindStringSubmatch(b.get("/feedback?event=all").body)
	if older == nil {
		t.Fatal("nothing leads to older ones")
	}
	if got := wordsOf(b.get(html.UnescapeString(older[1])).body); !strings.Contains(got, "The person left Newsletter") || strings.Contains(got, "Older ones") {
		t.Errorf("the rest: %s", got)
	}
	for _, query := range []string{"event=" + url.QueryEscape(nasty), "before=x", "before=-1"} {
		if got := b.get("/feedback?" + query); got.status != http.StatusOK || bare.MatchString(got.body) {
			t.Errorf("%s: %d", query, got.status)
		}
	}
}

// TestPagesOfVeryManyStaySmall, and what is left out is found.
func TestPagesOfVeryManyStaySmall(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	for i := range 400 {
		reason := fmt.Sprintf("reason %d, which is as long as reasons are: owlat: PUT /contacts/{contact}: 400 invalid_input", i%50)
		f.fails("users", fmt.Sprintf("018f3c1e-7b5a-7c40-9d40-%012d", i), fmt.Sprintf("somebody.with.a.name%d@example.com", i), true, "invalid_input", reason)
	}
	for i := range 120 {
		address := fmt.Sprintf("somebody.whose.mail.bounced%d@example.com", i)
		f.bounces(byte(i), address, ledger.Bounced)
	}
	var plan []ledger.PlanItem
	for i := range 150 {
		address := fmt.Sprintf("somebody.with.a.name%d@example.com", i)
		plan = append(plan, planItem(step.Create, fmt.Sprintf("018f3c1e-7b5a-7c40-9d40-%012d", i), address, owlatsync.Change{Kind: owlatsync.CreateContact, To: address}, owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", To: strings.Repeat("Long ", 100)},
			owlatsync.Change{Kind: owlatsync.AddTopic, Topic: "news"}))
	}
	run := f.holds("users", plan...)
	b := w.browser()
	b.signIn("ada", password)
	failures, feedback := b.get("/failures"), b.get("/feedback")
	for name, got := range map[string]reply{"failures": failures, "feedback": feedback, "a plan": b.get(fmt.Sprintf("/runs/%d/plan", run))} {
		t.Logf("%s has %d bytes", name, len(got.body))
		if got.status != http.StatusOK || len(got.body) > 100<<10 {
			t.Errorf("%s: %d with %d bytes", name, got.status, len(got.body))
		}
	}
	more := regexp.MustCompile(`href="(/failures\?group=[^"]+)"`).FindStringSubmatch(failures.body)
	if more == nil || !strings.Contains(failures.body, "Other reasons that are not shown: 2") {
		t.Fatalf("nothing leads to more: %s", wordsOf(failures.body))
	}
	if got := b.get(more[1]); strings.Count(got.body, `name="row"`) != 8 || strings.Contains(got.body, "no answer in time") {
		t.Errorf("a group alone: %s", wordsOf(got.body))
	}
	further := regexp.MustCompile(`href="(/feedback\?suppressed=50)#suppressed"`).FindStringSubmatch(feedback.body)
	if further == nil {
		t.Fatal("nothing leads to further addresses")
	}
	if got := b.get("/feedback?suppressed=100"); strings.Count(got.body, "/lift") != 20 || strings.Contains(got.body, "Further addresses") {
		t.Errorf("the last ones: %d", strings.Count(got.body, "/lift"))
	}
}

// TestVeryManyRowsThatAreNotInStep are looked at in part, unless somebody wants all.
func TestVeryManyRowsThatAreNotInStep(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	var all []*ledger.Entry
	for i := range lookedAt {
		all = append(all, &ledger.Entry{Key: fmt.Sprint("many ", i), ContactID: fmt.Sprint("m", i), Email: fmt.Sprintf("m%d@example.com", i), FirstSeen: noon, Failure: &ledger.Failure{Category: ledger.CategoryNetwork, Reason: "refused", First: noon, Last: noon}})
	}
	all = append(all, &ledger.Entry{
		Key: "sure", ContactID: "s", Email: "sure@example.com", FirstSeen: noon, Fingerprint: ledger.Fingerprint{Lo: 1}, Memberships: []ledger.Membership{{Topic: "news", State: ledger.MemberUnsure, At: noon}},
	})
	f.put("users", all...)
	b := w.browser()
	b.signIn("ada", password)
	few, whole := wordsOf(b.get("/failures").body), wordsOf(b.get("/failures?rows=all").body)
	if !containsAll(few, []string{"the first 3,000", "Try all with this reason again"}) || strings.Contains(few, "put on topic") {
		t.Errorf("a part: %s", few)
	}
	if !containsAll(whole, []string{"3,000 rows: refused", "Try all 3,000 again", "it is not known whether the contact was put on topic news", "Look in Owlat whether the contact is on the topic.", "Every row was looked at."}) {
		t.Errorf("all: %s", whole)
	}
}

// TestPeopleOfSeveralDeployments: each has its own, below its name.
func TestPeopleOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	acme := newFolk(t, w)
	bolt := newFolk(t, &world{all: map[string]*stands{"": {}}})
	w.all = map[string]*stands{"acme": acme.stands, "bolt": bolt.stands}
	b := w.browser()
	b.signIn("ada", password)
	got := b.send("/deployments/acme/people", "/deployments/acme/people", "word", "bob@example.com")
	path, found := strings.CutPrefix(got.path, "/deployments/acme/people/")
	if !found || !strings.Contains(got.body, "The row fails") || !strings.Contains(got.body, `href="/deployments/acme/syncs/users"`) {
		t.Fatalf("%d at %s", got.status, got.path)
	}
	if got := b.get("/deployments/bolt/people/" + path); got.status != http.StatusNotFound {
		t.Errorf("in another deployment: %d", got.status)
	}
	if got := b.send(got.path, got.path+"/retry"); got.path != "/deployments/acme/people/"+path+"?done=retry" {
		t.Errorf("a retry leads to %s", got.path)
	}
	if got := b.send("/deployments/acme/failures", "/deployments/acme/failures/retry", "sync", "web", "what", "all"); got.path != "/deployments/acme/failures?retried=1" {
		t.Errorf("a retry of all leads to %s", got.path)
	}
	if len(acme.waiting("web")) != 0 || len(bolt.waiting("web")) != 1 {
		t.Error("another deployment was asked")
	}
	for _, page := range []string{"failures", "feedback", "people"} {
		got := b.get("/deployments/acme/" + page)
		for _, link := range regexp.MustCompile(`(?:href|action)="(/(?:people|failures|feedback|syncs)[^"]*)"`).FindAllStringSubmatch(got.body, -1) {
			t.Errorf("%s leads out of its deployment: %s", page, link[1])
		}
	}
}
