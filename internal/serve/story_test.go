package serve

import (
	"net/http"
	"testing"

	"owlatsync/internal/account"
	"owlatsync/internal/testbrowser"
	"owlatsync/owlat/owlattest"
)

// TestTheStoryByKeyboard: an operator signs in, finds a held run, approves it, watches what comes of it, has a row tried again that failed,
// looks a person up, and signs out. Nobody touches a mouse, and without JavaScript it is the same story.
func TestTheStoryByKeyboard(t *testing.T) {
	t.Parallel()
	for _, view := range []testbrowser.View{{}, {Width: testbrowser.Narrow, Dark: true, NoScript: true}} {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			tellByKeyboard(t, view)
		})
	}
}

func tellByKeyboard(t *testing.T, view testbrowser.View) {
	const password = "correct horse battery"
	hash, err := account.New(password)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	h.configure("first_run: allow → first_run: ask", `stop_within: 10s → stop_within: 10s, accounts: [{name: ada, role: operator, hash: "`+hash.Text()+`"}]`)
	l := h.begin()
	p := testbrowser.Open(t, "http://"+l.at.Listen+"/", view)
	enter := func(selector string) {
		t.Helper()
		p.TabTo(selector)
		p.Follow(func() { p.Press("Enter") })
	}
	// ends waits until the run that is shown has ended so, as its page says to.
	ends := func(text string) {
		t.Helper()
		if view.NoScript {
			l.until(text, func() bool {
				var shown bool
				p.Eval(`document.body.innerText.includes("Load it again")`, &shown)
				if shown {
					enter(`noscript a, .hint a[href=""]`)
				}
				return !shown
			})
		}
		p.Until(text, `document.querySelector('.lead .state')?.dataset.state === '`+text+`'`)
	}

	p.TabTo("#name")
	p.Type("ada")
	p.TabTo("#password")
	p.Type(password)
	p.Follow(func() { p.Press("Enter") })
	l.until("the first run is held", func() bool {
		p.Go("http://" + l.at.Listen + "/")
		var held bool
		p.Eval(`document.querySelector('main a[href^="/runs/"]') !== null`, &held)
		return held
	})
	enter(`main a[href^="/runs/"]`)
	p.UntilText("Why it is held")
	enter(`a[href$="/approve"]`)
	p.UntilText("2")
	enter("form.orders button")
	ends("ok")
	if !h.member("ann@example.com") || !h.member("bob@example.com") {
		t.Error("the plan was not carried out")
	}

	if err := h.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Method: http.MethodPost, Route: owlattest.RouteContacts}); err != nil {
		t.Fatal(err)
	}
	h.write("users.csv", "id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n3,eve@example.com,true\n")
	p.Go("http://" + l.at.Listen + "/syncs/users")
	enter(`form[action$="/syncs/users/run"] button`)
	ends("failed rows")
	h.server.ClearFaults()
	enter(`a[href="/failures"]`)
	p.UntilText("1 row")
	enter(`button[value="group"]`)
	p.UntilText("next run")
	p.Go("http://" + l.at.Listen + "/syncs/users")
	enter(`form[action$="/syncs/users/run"] button`)
	ends("ok")
	if !h.member("eve@example.com") {
		t.Error("the row that failed was not tried again")
	}

	enter(`a[href="/people"]`)
	p.TabTo("#word")
	p.Type("Eve@example.com")
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("The contact is in Owlat, and was put on the topic")
	enter("form.who button")
	p.UntilText("Password")
	for _, problem := range p.Problems() {
		t.Errorf("the browser complains: %s", problem)
	}
}
