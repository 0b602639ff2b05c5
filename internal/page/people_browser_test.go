package page

import (
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/testbrowser"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/step"
)

// TestPeopleInTheBrowser: the pages of people and of what is wrong fit everywhere, and shut nobody out.
func TestPeopleInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFolk(t, w)
	f.leaves()
	f.bounces(2, "dan@example.com", ledger.Bounced)
	f.bounces(3, strings.Repeat("long.", 12)+"eve@example.com", ledger.Complained)
	f.neverMail("zoe@example.com")
	f.listed("list@example.com")
	f.unsent = map[string]api.Unsent{"users": {Run: 1, At: noon, Rows: []api.UnsentRow{
		{Trouble: reconcile.Trouble{Sync: "users", Key: "1", What: "duplicate", Category: ledger.CategorySource, Reason: nasty, Instead: &step.Instead{Key: "2", Differs: true}}},
		{Trouble: reconcile.Trouble{Sync: "users", Key: "77", What: "invalid", Category: ledger.CategorySource, Reason: "the address is empty"}},
	}}}
	f.stands.runs = runsBefore(noon, 1)
	f.stands.runs[0].Report.Outcomes[owlatsync.Invalid], f.stands.runs[0].Summary = 1, &owlatsync.Summary{}
	f.unsendable = []reconcile.Trouble{{Key: "9", Position: "line 9", Address: nasty, What: "invalid", Category: ledger.CategorySource, Reason: "there is no address " + nasty}}
	const unsendable = "the rows that cannot be sent" // a page that a form leads to
	b := w.browser()
	ada, nobody, several, dan := b.find("ada@example.com").path, b.find("nobody").path, b.find(nasty).path, b.find("dan@example.com").path
	zoe, listed, unsent := b.find("zoe@example.com").path, b.find("list@example.com").path, b.find("77").path
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) {
		p := testbrowser.Open(t, w.url+"/people", v)
		for i, at := range []string{"/people", ada, ada + "/forget", several, dan + "/lift", zoe, zoe + "/lift", listed, listed + "/lift", unsent, "/feedback", "/feedback?event=all", nobody, "/failures", unsendable} {
			switch {
			case at == unsendable:
				p.Follow(func() { p.Click("form[action='/failures/unsendable'] button") })
			case i > 0:
				p.Go(w.url + at)
			}
			p.Fits()
			p.Accessible()
			for _, problem := range p.Problems() {
				t.Errorf("%s: %s", at, problem)
			}
		}
	})
}

// TestPeopleByKeyboardWithoutScripts: look a person up, see why, retry a failure, and leave a question unanswered.
func TestPeopleByKeyboardWithoutScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	f := newFolk(t, w)
	f.unsendable = []reconcile.Trouble{{Key: "9", Position: "line 9", What: "invalid", Category: ledger.CategorySource, Reason: "there is no address"}}
	p := testbrowser.Open(t, w.url, testbrowser.View{NoScript: true})
	p.TabTo("#name")
	p.Type("ada")
	p.TabTo("#password")
	p.Type(password)
	p.Follow(func() { p.Press("Enter") })
	p.TabTo(`a[href="/people"]`)
	p.Follow(func() { p.Press("Enter") })
	p.TabTo("#word")
	p.Type("bob@example.com")
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("The row fails, and is not tried again")
	p.TabTo(`a[href$="/forget"]`)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("This cannot be undone.")
	p.TabTo(`.deeds a`)
	p.Follow(func() { p.Press("Enter") })
	p.TabTo(`form[action$="/retry"] button`)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("The next run tries the rows of this person again.")
	p.TabTo(`a[href="/failures"]`)
	p.Follow(func() { p.Press("Enter") })
	p.TabTo(`input[name="row"]`)
	p.Press("Space")
	p.TabTo(`button[value="some"]`)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("Rows that the next run tries again: 1.")
	if f.stands.audited()[1] != "ada retry by page 1" {
		t.Errorf("the audit has %q", f.stands.audited())
	}
}
