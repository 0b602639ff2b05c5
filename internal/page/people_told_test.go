package page

import (
	"net/http"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// TestWhatARowOfASourceBecomes is told of rows that fail, and of those whose column says that no mail may go to the person.
func TestWhatARowOfASourceBecomes(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.syncs[0].Suppressed.Column = "blocked"
	taken := func(key, contact string) *ledger.Entry {
		return &ledger.Entry{Key: key, ContactID: contact, Email: "was" + key + "@example.com", Origin: ledger.OriginCreated, FirstSeen: noon, ChangedAt: noon,
			Failure: &ledger.Failure{Category: ledger.CategoryTaken, Reason: "another contact has the address", Attempts: 1, First: noon, Last: noon}}
	}
	f.put("users", taken("8", "k8"), taken("9", "k9"))
	f.hear(1, ledger.News{Feedback: ledger.Feedback{Event: owlat.WebhookContactCreated, ContactID: "k77", Email: "made@example.com"}})
	line := func(key, email string, never bool) owlatsync.Row {
		return owlatsync.Row{Key: key, Email: owlatsync.Some(email), Consents: []owlatsync.Consent{owlatsync.Yes}, Suppressed: never}
	}
	f.rows = []owlatsync.Row{line("8", "Ada@example.com", false), line("9", "made@example.com", false), line("70", "never@example.com", true)}
	f.suppress(ledger.Suppression{Email: "never@example.com", Reason: ledger.NeverMail, At: noon})
	b := w.browser()
	b.signIn("ada", password)
	for word, want := range map[string][]string{
		"8":                 {"later runs try it again: another contact has the address. The new address is ada@example.com.", "The contact that has the address is that of row 1 of users", "blocked: no"},
		"9":                 {"The new address is made@example.com.", "the contact k77 was made with it in Owlat."},
		"70":                {"users , row 70", `Runs put the person on no topic: the column "blocked" says that no mail may go to them, ever.`, "blocked: yes"},
		"never@example.com": {"No. A row of the source said", "A look in the sources now names the row.", "users , row 70", "Lift the suppression…"},
	} {
		path := b.find(word).path
		got := b.send(path, path+"/sources")
		if said := wordsOf(got.body); got.status != http.StatusOK || !containsAll(said, want) || strings.Contains(said, "It can be sent.") || strings.Contains(said, "Only the person") {
			t.Errorf("%s: %d: %s", word, got.status, said)
		}
	}
}

// TestADuplicateOfOnePerson is answered by the row that counts instead, if that has the same address.
func TestADuplicateOfOnePerson(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	twin := func(key, address string) api.UnsentRow {
		return api.UnsentRow{Trouble: reconcile.Trouble{Sync: "users", Key: key, What: "duplicate", Category: ledger.CategorySource, Reason: "the address is that of another row", Instead: &step.Instead{Key: "1"}}, Hash: ledger.HashText(address)}
	}
	f.unsent = map[string]api.Unsent{"users": {Run: 12, At: noon, Rows: []api.UnsentRow{twin("90", "ada@example.com"), twin("91", "other@example.com")}}}
	b := w.browser()
	b.signIn("ada", password)
	got := b.find("90")
	if said := wordsOf(got.body); !strings.Contains(said, "Yes, as far as is known here, by row 1 . It has the same address, and counts in place of this row, for which nothing was ever sent.") {
		t.Error(said)
	}
	harmless(t, "90", got.body)
	if said := wordsOf(b.find("91").body); !strings.Contains(said, "No. Every run that reads all rows reads this one, and cannot send it. So nothing was ever sent for this row.") {
		t.Error(said)
	}
}

// TestWhatOwlatSaysNowIsTheAnswer of the headline, and of the topics.
func TestWhatOwlatSaysNowIsTheAnswer(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.contact = &owlat.Contact{ID: "k1", Email: "ada@example.com", FirstName: "Ada"}
	b := w.browser()
	b.signIn("ada", password)
	path := b.find("1").path
	for on, want := range map[bool]string{true: "Do they get mail? Yes. The contact is in Owlat, and is on the topic, as Owlat says now.", false: "Do they get mail? No. Topic “news” (when newsletter): Not on it, as Owlat says now"} {
		f.members = &owlat.ContactPreferences{Topics: []owlat.TopicPreference{{ID: "news", Name: "News", Subscribed: on}}}
		if said := wordsOf(b.send(path, path+"/now").body); !strings.Contains(said, want) || !strings.Contains(said, "Owlat was asked ") {
			t.Errorf("on it %v: %s", on, said)
		}
	}
}

// TestAfterLifting the history says that somebody did, and a yes is less than sure.
func TestAfterLifting(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	f.ways.Webhooks = true
	f.bounces(2, "ada@example.com", ledger.Bounced)
	b := w.browser()
	b.signIn("ada", password)
	path := b.find("1").path
	if said := wordsOf(b.get(path).body); !containsAll(said, []string{"Do they get mail? No. A mail to the address came back for good", "gets nothing A run had put them on it"}) {
		t.Error(said)
	}
	said := wordsOf(b.send(path+"/lift", path+"/lift").body)
	if !containsAll(said, []string{"Do they get mail? Yes, as far as is known here.", "Owlat has a block list of its own, which may still keep mail back.", "Ended the suppression of the address.", "· operator, users"}) {
		t.Error(said)
	}
	f.suppress(ledger.Suppression{Email: "alone@example.com", Reason: ledger.NeverMail, At: noon})
	path = b.find("alone@example.com").path
	if said := wordsOf(b.send(path+"/lift", path+"/lift").body); !strings.Contains(said, "The suppression was all that was recorded of this address, and it is lifted") || strings.Contains(said, "Nothing is recorded") {
		t.Error(said)
	}
}
