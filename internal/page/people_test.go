package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

func newPeople(t *testing.T) (*world, *folk) {
	t.Helper()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	return w, newFolk(t, w)
}

// TestWhyDidAdaGetNoNewsletter is answered at the top of her page, however she is searched for.
func TestWhyDidAdaGetNoNewsletter(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	b := w.browser()
	b.signIn("ada", password)
	got := b.find("1")
	if said := wordsOf(got.body); got.status != http.StatusOK || !strings.Contains(said, "Do they get mail? Yes, as far as is known here. The contact is in Owlat, and was put on the topic. Whether they left since is not known here") {
		t.Errorf("before she left %d: %s", got.status, said)
	}
	f.leaves()
	for _, word := range []string{"1", "Ada@Example.com ", "k1"} {
		got := b.find(word)
		said := wordsOf(got.body)
		for _, want := range []string{
			"Do they get mail? No. Topic", "The person left it, as one of Owlat's webhooks told", "Ada", "created by this sync", "Created the contact.", "run 7", "The row was first read.",
			"could not be told of an opt-out. It was given up; attempts: 1.", "The person left Newsletter", "firstName: Ada",
		} {
			if !strings.Contains(strings.ToLower(said), strings.ToLower(want)) {
				t.Errorf("%s: the page lacks %q", word, want)
			}
		}
		if !strings.HasPrefix(got.path, "/people/") || strings.Contains(got.path, "@") || strings.Contains(strings.ToLower(got.path), "ada") || !strings.Contains(got.body, "<title>Person · owlat-sync</title>") {
			t.Errorf("%s leads to %s, or the title that a browser keeps names somebody", word, got.path)
		}
		if strings.Index(got.body, "Do they get mail?") > strings.Index(got.body, "What happened") {
			t.Error("the answer does not come first")
		}
		harmless(t, word, got.body)
		if strings.Contains(got.body, "\u202e\u200f&amp;amp;`${x}”") {
			t.Error("the name of a topic turns the words around it")
		}
		if n := strings.Count(said, "could not be told"); n != 1 || !strings.Contains(got.body, `<time datetime="2026-03-01T13:00:00Z"`) {
			t.Errorf("%s: it is told %d times that nobody could be told, or not when she left", word, n)
		}
		if t.Failed() {
			t.Fatal(said)
		}
	}
	if strings.Contains(w.log.String(), "example.com") {
		t.Errorf("the log has an address:\n%s", w.log)
	}
}

func TestPeopleAreFound(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.put("web", &ledger.Entry{Key: "1", ContactID: "k9", Email: "other@example.com", Origin: ledger.OriginAdopted, Fingerprint: ledger.Fingerprint{Lo: 1}, FirstSeen: noon})
	f.put("web", &ledger.Entry{Key: "bob@example.com", ContactID: "k2", Email: "bob@example.com", Origin: ledger.OriginAdopted, Fingerprint: ledger.Fingerprint{Lo: 1}, FirstSeen: noon})
	f.bounces(2, "dan@example.com", ledger.Bounced)
	if _, err := f.ForgetPerson(t.Context(), "gone@example.com"); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.signIn("ada", password)
	for word, want := range map[string][]string{
		"2":                {"bob@example.com", "No. By row 2 of users: The row fails, and is not tried again", "Owlat does not have the topic. Correct its id", "web , row"}, // both of his rows
		"BOB@example.com":  {"The row fails", "users , row 2", "web , row bob@example.com"},
		"1":                {"Rows of several syncs have this key", "ada@example.com", "other@example.com"},
		"no " + nasty:      {"No. Nothing is recorded of this key"},
		"nobody":           {"No. Nothing is recorded of this key or address", "every run reads it, and it cannot be sent"},
		"dan@example.com":  {"A mail to the address came back for good", "If the mailbox works again, lift the suppression.", "Lift the suppression…", "(hard bounce)"},
		"gone@example.com": {"asked to forget the person"},
		nasty:              {"The row fails, and later runs try it again: no answer in time", "If it stays, look at the deployment"},
	} {
		got := b.find(word)
		if said := wordsOf(got.body); got.status != http.StatusOK || !containsAll(said, want) {
			t.Errorf("%q: %d, want %q:\n%s", word, got.status, want, said)
		}
		harmless(t, word, got.body)
	}
	if got := b.find(strings.Repeat("x", longestWord+1)); got.status != http.StatusBadRequest || got.path != "/people" {
		t.Errorf("a very long key: %d at %s", got.status, got.path)
	}
	if got := b.find(strings.Repeat("\u202e", longestWord/3)); got.status != http.StatusOK {
		t.Errorf("a long key: %d", got.status)
	}
	if got := b.find("  "); got.status != http.StatusBadRequest || !strings.Contains(got.body, "Type the key of a row") {
		t.Errorf("nothing was typed: %d", got.status)
	}
}

func containsAll(text string, all []string) bool {
	return !slices.ContainsFunc(all, func(want string) bool { return !strings.Contains(text, want) })
}

// TestAPlanThatWaits is told of whom it is about, also of somebody of whom nothing else is known.
func TestAPlanThatWaits(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	run := f.holds("users", planItem(step.Update, "1", "ada@example.com", owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "news"}),
		planItem(step.Create, "new", "new@example.com", owlatsync.Change{Kind: owlatsync.CreateContact, To: "new@example.com"}, owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", To: nasty}))
	b := w.browser()
	b.signIn("ada", password)
	link := fmt.Sprintf(`<a href="/runs/%d">`, run)
	for word, want := range map[string]string{"1": "take off topic news (when newsletter)", "ada@example.com": "take off topic news", "new": "create new@example.com", "NEW@example.com": "create new@example.com"} {
		got := b.find(word)
		if got.status != http.StatusOK || !strings.Contains(got.body, link) || strings.Count(got.body, want) != 1 {
			t.Errorf("%s: %d %s", word, got.status, wordsOf(got.body))
		}
		harmless(t, word, got.body)
	}
	for _, word := range []string{"bob@example.com", "2", "nobody"} {
		if got := b.find(word); strings.Contains(got.body, "waits for approval") {
			t.Errorf("%s: %s", word, wordsOf(got.body))
		}
	}
}

// TestWhoMaySeePeople: operators, with an id that this page made for this deployment.
func TestWhoMaySeePeople(t *testing.T) {
	t.Parallel()
	w, _ := newPeople(t)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	path := b.find("1").path
	for _, at := range []string{"/people", path, path + "/forget", path + "/lift"} {
		if got := viewer.get(at); got.status != http.StatusForbidden || strings.Contains(got.body, "example.com") {
			t.Errorf("a viewer at %s: %d", at, got.status)
		}
	}
	for _, at := range []string{"/people", path + "/forget", path + "/retry", path + "/now", path + "/sources", path + "/lift", "/failures/retry", "/failures/unsendable", "/failures/write-backs"} {
		if got := viewer.send("/", at, "sync", "users", "what", "all"); got.status != http.StatusForbidden {
			t.Errorf("a viewer sends to %s: %d", at, got.status)
		}
		if got := b.do(http.MethodPost, at, map[string][]string{"sync": {"users"}, "what": {"all"}}); got.status != http.StatusForbidden {
			t.Errorf("without a token of the form, %s: %d", at, got.status)
		}
	}
	if got := viewer.get("/"); strings.Contains(got.body, `href="/people"`) || !strings.Contains(got.body, `href="/failures"`) {
		t.Error("a viewer is led to people, or not to failures")
	}
	other, err := person.NewSealer([]byte("another"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"x", "%3Cscript%3E", strings.Repeat("A", 200), other.Seal("", person.Subject{Word: "1"})} {
		if got := b.get("/people/" + id); got.status != http.StatusNotFound || !strings.Contains(got.body, "Search for the person again") {
			t.Errorf("%s: %d", id, got.status)
		}
	}
	if _, ok := other.Open("acme", other.Seal("bolt", person.Subject{Word: "1"})); ok {
		t.Error("an id of one deployment counts in another")
	}
	if a, again := other.Seal("", person.Subject{Sync: "users", Key: "1"}), other.Seal("", person.Subject{Sync: "users", Key: "1"}); a != again {
		t.Error("a person has two addresses")
	}
}

// TestWhatOwlatHasNow is asked for with a button alone: it costs a request.
func TestWhatOwlatHasNow(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	b := w.browser()
	b.signIn("ada", password)
	path := b.find("1").path
	if f.asked != 0 {
		t.Error("a look at a person asks Owlat")
	}
	f.contact = &owlat.Contact{ID: "k1", Email: "ada@example.com", FirstName: "Ada", LastName: nasty}
	got := b.send(path, path+"/now")
	if said := wordsOf(got.body); got.status != http.StatusOK || f.asked != 1 || !strings.Contains(said, "Somebody changed the contact in Owlat") || !strings.Contains(said, "lastName is") {
		t.Errorf("%d after %d requests: %s", got.status, f.asked, said)
	}
	harmless(t, "now", got.body)
	f.contact.LastName = ""
	if got := b.send(path, path+"/now"); !strings.Contains(got.body, "Owlat has the contact as it is recorded here.") {
		t.Error("an equal contact is not told as such")
	}
	f.members = &owlat.ContactPreferences{Topics: []owlat.TopicPreference{{ID: "t0123456789", Name: nasty, Subscribed: true}}}
	got = b.send(path, path+"/now")
	if said := wordsOf(got.body); !strings.Contains(said, ": on it.") {
		t.Errorf("the memberships are not told: %s", said)
	}
	harmless(t, "memberships", got.body)
	f.members, f.membersErr = nil, &owlat.PreferencesError{Reason: owlat.ReasonInvalidSignature, Status: http.StatusOK}
	if got := b.send(path, path+"/now"); !strings.Contains(wordsOf(got.body), "could not be read: owlat:") {
		t.Errorf("a wrong secret is not told: %s", wordsOf(got.body))
	}
	f.contact = nil
	if got := b.send(path, path+"/now"); !strings.Contains(got.body, "Owlat has no such contact any more.") {
		t.Error("a contact that is gone is not told as such")
	}
	for want, err := range map[string]error{
		"Owlat answers too many requests now. Ask again in a minute.": &owlat.Error{Category: owlat.CategoryRateLimited, StatusCode: http.StatusTooManyRequests},
		"Owlat did not answer in time.":                               fmt.Errorf("wait for the budget: %w", context.DeadlineExceeded),
		"Owlat could not be asked: connection refused.":               errors.New("connection refused"),
	} {
		f.refuses = err
		if got := b.send(path, path+"/now"); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%v: %d %s", err, got.status, wordsOf(got.body))
		}
	}
}

// TestForgettingAPerson names what is erased and what is kept before it is done.
func TestForgettingAPerson(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.leaves()
	b := w.browser()
	b.signIn("ada", password)
	path := b.find("ada@example.com").path
	if got := b.get(path); !strings.Contains(got.body, `href="`+path+`/forget"`) {
		t.Error("nothing leads to forgetting")
	}
	asked := b.get(path + "/forget")
	if !containsAll(wordsOf(asked.body), []string{"Forget ada@example.com ?", "cannot be undone", "failures and topics: 1", "users , row 1", "Lines of their history: 1", "with its write-backs: 1", "A keyed hash", "The contact in Owlat, the row in your source, and backups"}) {
		t.Errorf("it asks:\n%s", wordsOf(asked.body))
	}
	if entries, err := f.Entries(t.Context(), "users", []string{"1"}); err != nil || len(entries) != 1 {
		t.Fatal("it was forgotten by a look at the question", err)
	}
	lock, err := f.Acquire(t.Context(), ledger.Claim{Purpose: "run of sync \"users\""})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.send(path+"/forget", path+"/forget"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "Nothing was erased") || !strings.Contains(got.body, "Forget the person once the run has ended") {
		t.Errorf("during a run: %d %s", got.status, wordsOf(got.body))
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	got := b.send(path+"/forget", path+"/forget")
	if got.status != http.StatusOK || got.path != "/people?forgotten=1" || !strings.Contains(got.body, "Rows that were erased: 1.") {
		t.Errorf("%d at %s", got.status, got.path)
	}
	if entries, err := f.Entries(t.Context(), "users", []string{"1"}); err != nil || len(entries) != 0 {
		t.Error("it is still there", err)
	}
	if audit := w.all[""].audited(); !slices.Contains(audit, "ada forget by page 1") {
		t.Errorf("the audit has %q", audit)
	}
	if got := b.find("ada@example.com"); !strings.Contains(got.body, "asked to forget") {
		t.Errorf("afterwards: %s", wordsOf(got.body))
	}
	if log := w.log.String(); strings.Contains(log, "ada@example") || !strings.Contains(log, "a person was forgotten") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestLiftingASuppression asks first, and of a complaint whether the person asked anew.
func TestLiftingASuppression(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.bounces(2, "dan@example.com", ledger.Bounced)
	f.bounces(3, "eve@example.com", ledger.Complained)
	b := w.browser()
	b.signIn("ada", password)
	dan, eve := b.find("dan@example.com").path, b.find("eve@example.com").path
	if got := b.get(eve); !strings.Contains(got.body, "The person marked a mail as spam") {
		t.Errorf("the verdict: %s", wordsOf(got.body))
	}
	if got := b.send(eve+"/lift", eve+"/lift"); got.status != http.StatusBadRequest {
		t.Errorf("a complaint is lifted without a word: %d", got.status)
	}
	if got := b.send(eve+"/lift", eve+"/lift", "anew", "yes"); got.status != http.StatusOK || !strings.Contains(got.body, "The address is suppressed no longer.") {
		t.Errorf("with it: %d", got.status)
	}
	if got := b.get(dan + "/lift"); !strings.Contains(got.body, "came back for good") || strings.Contains(got.body, `name="anew"`) {
		t.Error("what is asked of a bounce")
	}
	b.send(dan+"/lift", dan+"/lift")
	if all, err := f.AllSuppressions(t.Context(), 0); err != nil || len(all) != 0 {
		t.Errorf("there are %v, %v", all, err)
	}
	if got := b.send(dan, dan+"/lift"); got.status != http.StatusConflict {
		t.Errorf("once more: %d", got.status)
	}
	if audit := w.all[""].audited(); !slices.Equal(audit[1:], []string{"ada suppression lifted by page 0", "ada suppression lifted by page 0"}) {
		t.Errorf("the audit has %q", audit)
	}
}

// TestWhatTheSourcesHaveNow answers for whom the ledger does not know: their row may be one that cannot be sent.
func TestWhatTheSourcesHaveNow(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	line := func(n int, key, email string, consent owlatsync.Consent) owlatsync.Row {
		return owlatsync.Row{Key: key, Position: owlatsync.Position{Unit: "line", Number: n}, Email: owlatsync.Some(email), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(nasty)}, Consents: []owlatsync.Consent{consent}}
	}
	f.rows = []owlatsync.Row{line(2, "1", "ADA@example.com ", owlatsync.No), line(3, "77", "Nonsense", owlatsync.Yes), line(4, "78", "new@example.com", owlatsync.Yes), line(5, "79", "", owlatsync.Yes)}
	f.stands.runs = runsBefore(noon, 1)
	f.stands.runs[0].Summary = &owlatsync.Summary{}
	f.unsendable = []reconcile.Trouble{{Key: "77", Position: "line 3", What: "invalid", Category: ledger.CategorySource, Reason: "the address has no @ " + nasty},
		{Key: "79", Position: "line 5", What: "invalid", Category: ledger.CategorySource, Reason: owlatsync.ErrAddressEmpty.Error()}}
	b := w.browser()
	b.signIn("ada", password)
	for word, want := range map[string][]string{
		"ada@example.com": {"users , row 1 It can be sent. ADA@example.com", "newsletter: no", "Do they get mail?"},
		"nonsense": {"No. A source has the row, but no run has sent anything for it: it cannot be sent.", "users , row 77 It cannot be sent: the address has no @", "Every run that reads all rows reads it, and leaves it out.", "newsletter: yes",
			"What to do. Correct in the source what the reason names.", "The latest run that read all rows is run 1"},
		"78":     {"No. A source has the row, but no run has sent anything for it yet.", "It can be sent, and no run has taken it up yet"},
		"79":     {"users , row 79 It cannot be sent: the address is empty", "no address", "What to do. Fill in the address"},
		"nobody": {"No. No source has a row with this key or address, and nothing is recorded of one."},
	} {
		path := b.find(word).path
		got := b.send(path, path+"/sources")
		if got.status != http.StatusOK || !containsAll(wordsOf(got.body), want) {
			t.Errorf("%s: %d: %s", word, got.status, wordsOf(got.body))
		}
		harmless(t, word, got.body)
	}
	listed := b.send("/failures", "/failures/unsendable", "sync", "users")
	link := regexp.MustCompile(`/people/[^"]+`).FindString(listed.body)
	if got := b.send(link, link+"/sources"); !strings.Contains(wordsOf(got.body), "users , row 77 It cannot be sent: the address has no @") {
		t.Errorf("from the list of rows that cannot be sent, at %q: %s", link, wordsOf(got.body))
	}
	f.unreadable = errUnreadable
	path := b.find("nobody").path
	if got := b.send(path, path+"/sources"); !strings.Contains(got.body, "The source could not be read. The log of the service says why.") || strings.Contains(got.body, "secretpart") {
		t.Errorf("an unreadable source: %s", wordsOf(got.body))
	}
}

// TestARowThatNoRunCanSend is told without a look at the source, as far as the latest run told of it: by its key, and by its address.
func TestARowThatNoRunCanSend(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.unsent = map[string]api.Unsent{"users": {Run: 12, At: noon, Rows: []api.UnsentRow{
		{Trouble: reconcile.Trouble{Sync: "users", Key: "77", What: "invalid", Category: ledger.CategorySource, Reason: "the address holds a blank"}, Hash: ledger.HashText("non sense@example.com")},
		{Trouble: reconcile.Trouble{Sync: "users", Key: "1", What: "duplicate", Category: ledger.CategorySource, Reason: "the row with key 2 has the same address and counts", Instead: &step.Instead{Key: "2"}}},
	}}}
	b := w.browser()
	b.signIn("ada", password)
	for word, want := range map[string][]string{
		"77":                    {"No. Every run that reads all rows reads this one, and cannot send it.", "users , row 77 , cannot be sent as the source has it: the address holds a blank", "Take the blank out", "is run 12, which began 2026-03-01 12:00:00 UTC"},
		"NON sense@example.com": {"No. Every run", "row 77"},
		"1":                     {"Do they get mail? Yes", "users , row 1 , cannot be sent as the source has it", "What counts instead: row 2"},
	} {
		got := b.find(word)
		if said := strings.ReplaceAll(wordsOf(got.body), " .", "."); got.status != http.StatusOK || !containsAll(said, want) {
			t.Errorf("%s: %d %s", word, got.status, said)
		}
	}
	if got := b.find("2"); strings.Contains(got.body, "cannot be sent as the source has it") {
		t.Error("the row that counts is told as the other")
	}
}

// TestTheHolderOfATakenAddress is named by its key, with a link to its person.
func TestTheHolderOfATakenAddress(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.put("users", &ledger.Entry{Key: "8", ContactID: "k8", Email: "old@example.com", Origin: ledger.OriginCreated, FirstSeen: noon, ChangedAt: noon,
		Failure: &ledger.Failure{Category: ledger.CategoryTaken, Reason: "another contact in Owlat has the row's new address", Attempts: 1, First: noon, Last: noon, Holder: ledger.RowRef{Sync: "users", Key: "1"}}})
	b := w.browser()
	b.signIn("ada", password)
	for at, want := range map[string]string{b.find("8").path: "The contact that has the address is that of row 1 of users .", "/failures": "the contact of another row has the address in Owlat"} {
		got := b.get(at)
		link := regexp.MustCompile(`href="(/people/[^"]+)">row <bdi>1</bdi>`).FindStringSubmatch(got.body)
		if !strings.Contains(wordsOf(got.body), want) || link == nil {
			t.Errorf("%s: %s", at, wordsOf(got.body))
			continue
		}
		if ada := b.get(link[1]); !strings.Contains(ada.body, "ada@example.com") {
			t.Errorf("%s leads to %s", at, wordsOf(ada.body))
		}
	}
}

// TestAPersonOptedOutByUs says since when Owlat knows it, whether a run or a list did it, and that it was our act.
func TestAPersonOptedOutByUs(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.neverMail("zoe@example.com")
	f.listed("list@example.com")
	b := w.browser()
	b.signIn("ada", password)
	zoe, listed := b.find("zoe@example.com"), b.find("list@example.com")
	for name, test := range map[string]struct {
		got  reply
		want []string
	}{
		"never mail": {zoe, []string{"No. The column \"blocked\" of blocks said that no mail may go to the person, ever: in row 9, or in another one", "Owlat was told, and has opted them out of everything.", "Owlat was told 2026-03-01 12:05:00 UTC",
			"not on it Not on it, because no mail may go to the person.", "Off Newsletter, because owlat-sync had opted the person out of everything. A webhook told so."}},
		"a list": {listed, []string{"No. Somebody handed in a list", "Owlat was told 2026-03-01 12:05:00 UTC"}},
	} {
		said := wordsOf(test.got.body)
		if !containsAll(said, test.want) || strings.Contains(said, "The person left") || strings.Contains(said, "said no") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if got := wordsOf(b.get(zoe.path + "/lift").body); !containsAll(got, []string{"The column \"blocked\" of blocks said", "in row 9", "What lifting it does", "Correct the row first.", "Owlat is told nothing."}) || strings.Contains(got, "came back") {
		t.Errorf("the question: %s", got)
	}
	if got := wordsOf(b.get("/feedback").body); !containsAll(got, []string{"1 never mail, by a row", "1 opted out by a list", "because owlat-sync had opted the person out of everything"}) || strings.Contains(got, "bounced for good") {
		t.Errorf("the feedback: %s", got)
	}
}

// TestNamesAreNotSearched says so beside the field.
func TestNamesAreNotSearched(t *testing.T) {
	t.Parallel()
	w, _ := newPeople(t)
	b := w.browser()
	b.signIn("ada", password)
	if got := b.get("/people").body; !strings.Contains(got, `aria-describedby="not-names"`) || !strings.Contains(got, "Names are not searched: type a key, an address or an id, whole.") {
		t.Error(wordsOf(got))
	}
}

// TestSourcesAreReadOneAtATime for the page: reading one costs as much as a run that changes nothing.
func TestSourcesAreReadOneAtATime(t *testing.T) {
	t.Parallel()
	p := New(Parts{})
	err := p.alone(func() error {
		return p.alone(func() error { t.Error("two are read at once"); return nil })
	})
	if refusal, ok := errors.AsType[*access.Refusal](err); !ok || refusal.Status != http.StatusServiceUnavailable || refusal.Hint == "" {
		t.Errorf("%v", err)
	}
	if err := p.alone(func() error { return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
