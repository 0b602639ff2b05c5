package page

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/ledger"
)

// has checks what a page shows, that it shows nothing else, and that nothing came through unescaped.
func has(t *testing.T, what string, got reply, wants ...string) {
	t.Helper()
	if got.status != http.StatusOK || bare.MatchString(got.body) {
		t.Errorf("%s: %d with %q", what, got.status, bare.FindString(got.body))
	}
	for _, want := range wants {
		text, lacks := strings.CutPrefix(want, "!")
		if strings.Contains(got.body, text) == lacks {
			t.Errorf("%s: %q, and it should be otherwise\n%s", what, want, got.body)
		}
	}
}

// next returns where a link of a page leads to.
func next(t *testing.T, page reply, text string) string {
	t.Helper()
	before, _, found := strings.Cut(page.body, ">"+text+"<")
	if !found {
		t.Fatalf("no %q in\n%s", text, page.body)
	}
	link, _, _ := strings.Cut(before[strings.LastIndex(before, `href="`)+6:], `"`)
	return strings.ReplaceAll(link, "&amp;", "&")
}

func TestARunAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	k := newWorks(t, w)
	lines := []ledger.Record{
		line("4711", "created", "", ""), line("4711", "topic added", "news", ""), line("ada@example.com", "updated", "firstName", ""), line(nasty, "failed", nasty, ledger.CategoryTaken),
		line("=1+1", "failed", "timed out", ledger.CategoryTimeout),
	}
	for i := range 220 {
		lines = append(lines, line(fmt.Sprint("many", i), "topic removed", "k57offers", ""))
	}
	id := k.ended(ledger.StatusFailedRows, lines...)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	at := fmt.Sprintf("/runs/%d", id)
	has(t, "a run", b.get(at), "failed rows", "12,345", "1,234", "4,321", "too many came at once", ">3s<", ">4711<", "topic added", "ada@example.com", "timed out", "no answer in time", "many94", "!many95", "More rows", "Download as CSV",
		"!Approve", "!Cancel")
	has(t, "its filters", b.get(at), `<option value="created">`, `<option value="topic removed">`, `!<option value="merged">`, `<option value="taken">`, `<option value="timeout">`, `!<option value="network">`)
	has(t, "topics and rows", b.get(at), `<bdi title="k57offers">Offers</bdi> <span class="why">(<bdi>every row</bdi>)`, `<th role="rowheader" scope="row"><a href="/people/`)
	has(t, "its numbers", b.get(at), fmt.Sprintf(`<a href="%s?what=created#decisions">1,234</a>`, at), `<a href="#unsendable">17</a>`, `<div id="unsendable">`, `data-to="second"`)
	has(t, "a viewer's rows", viewer.get(at), "!/people/")
	if got := b.get(at); len(got.body) > 100<<10 {
		t.Errorf("the run has %d bytes", len(got.body))
	}
	has(t, "what was created", b.get(at+"?what=created"), ">4711<", "!news", "!many1")
	has(t, "one row", b.get(at+"?key=4711"), ">4711<", "news", "!many1")
	has(t, "what was taken", b.get(at+"?category=taken"), "alert(1)", "!timed out", "!many1")
	has(t, "nothing is so", b.get(at+"?key=nobody"), "It did nothing of that kind")
	has(t, "what is no such thing", b.get(at+"?what="+url.QueryEscape(nasty)+"&after=x"), ">4711<")
	next := b.get(at + "?what=" + url.QueryEscape("topic removed"))
	for _, want := range []string{"many100", "many200"} {
		_, rest, found := strings.Cut(next.body, "#decisions\">More rows")
		if !found {
			t.Fatalf("no more decisions after %s:\n%s", rest, next.body)
		}
		before := next.body[:len(next.body)-len(rest)]
		link := before[strings.LastIndex(before, `href="`)+6:]
		next = b.get(strings.ReplaceAll(link[:strings.Index(link, "#")], "&amp;", "&"))
		has(t, "the next ones", next, want, "From the beginning")
	}
	// Keys that are addresses are the operators', and all keys of a sync whose keys are addresses.
	has(t, "a viewer", viewer.get(at), ">4711<", "!ada@example.com", "hidden", `name="key"`, "An operator can have the source read", "!Read the source")
	has(t, "what could not be sent", b.get(at), "list the rows that cannot be sent (17)", "topic added", "<bdi>news</bdi> <span class=\"why\">(<bdi>when newsletter</bdi>)")
	later := k.ended(ledger.StatusOK)
	has(t, "a run of whose rows nothing is known any more", b.get(fmt.Sprintf("/runs/%d", later)), "What it did with single rows is not kept any more", "!so far")
	idle, err := k.ledger.Run(t.Context(), later)
	if err != nil {
		t.Fatal(err)
	}
	for o := range idle.Report.Outcomes {
		idle.Report.Outcomes[o] = 0
	}
	if err := k.under(func(l ledger.Lock) error { return l.EndRun(t.Context(), ledger.Ending{Run: *idle}) }); err != nil {
		t.Fatal(err)
	}
	has(t, "a run that changed nothing", b.get(fmt.Sprintf("/runs/%d", later)), "The run changed no row, and failed at none.", "!not kept")
	has(t, "what could not be sent then", b.get(at), "Which rows could not be sent (17) is not known any more", "!Read the source")
	read := func(b *browser, query string) (rows [][]string) {
		t.Helper()
		got := b.get(at + "/decisions.csv" + query)
		rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") || got.header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(got.header.Get("Content-Disposition"), "attachment") {
			t.Fatalf("%v, %+v", err, got)
		}
		return rows
	}
	if rows := read(b, ""); len(rows) != 226 || rows[3][3] != "ada@example.com" || rows[4][3] != nasty || rows[5][3] != "'=1+1" || rows[5][6] != "timeout" {
		t.Errorf("%d rows: %q", len(rows), rows[:6])
	}
	if rows := read(b, "?category=timeout"); len(rows) != 2 {
		t.Errorf("of one category: %q", rows)
	}
	if rows := read(viewer, ""); len(rows) != 226 || rows[3][3] != "" || rows[1][3] != "4711" {
		t.Errorf("a viewer has %q", rows[:6])
	}
	k.mu.Lock()
	k.personal = true
	k.mu.Unlock()
	has(t, "a viewer of persons", viewer.get(at), "!4711", `!name="key"`)
	if rows := read(viewer, ""); slices.ContainsFunc(rows[1:], func(row []string) bool { return row[3] != "" }) {
		t.Errorf("a viewer of persons has %q", rows[:6])
	}
	if got := viewer.get(at + "?key=ada@example.com"); got.status != http.StatusForbidden {
		t.Errorf("a viewer may ask for a person: %d", got.status)
	}
	for _, path := range []string{"/runs/99", "/runs/x", "/runs/0", "/runs/99/decisions.csv", "/runs/99/live", at + "/nothing"} {
		if got := b.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestFiltersOfALargeRun: what stands behind the lines that are looked at is offered, and what the report rules out is not.
func TestFiltersOfALargeRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	lines := make([]ledger.Record, 1100)
	for i := range lines {
		lines[i] = line(fmt.Sprint("many", i), "updated", "firstName", "")
	}
	b := w.browser()
	some := k.ended(ledger.StatusFailedRows, append(lines, line("4711", "failed", nasty, ledger.CategoryTaken))...)
	has(t, "with a row that failed", b.get(fmt.Sprintf("/runs/%d", some)), `<option value="updated">`, `<option value="failed">`, `<option value="created">`, `<option value="merged">`, `!<option value="adopted">`,
		`<option value="taken">`, `!<option value="network">`)
	none := k.ended(ledger.StatusOK, lines...)
	has(t, "without", b.get(fmt.Sprintf("/runs/%d", none)), `<option value="updated">`, `!<option value="failed">`, "!Why it fails now")
}

func TestTheRunsOfASync(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	for range runsOnPage + 5 {
		k.ended(ledger.StatusOK)
	}
	b := w.browser()
	path := "/syncs/" + url.PathEscape(nasty)
	has(t, "a sync", b.get(path), `href="/runs/105"`, "All runs", "Run now", "Plan now")
	has(t, "its runs", b.get(path+"/runs"), `href="/runs/105"`, `href="/runs/6"`, `!href="/runs/5"`, "?before=6")
	if got := b.get(path + "/runs"); len(got.body) > 100<<10 {
		t.Errorf("the list has %d bytes", len(got.body))
	}
	has(t, "older ones", b.get(path+"/runs?before=6"), `href="/runs/5"`, `href="/runs/1"`, `!href="/runs/6"`, "The newest runs")
	has(t, "none", b.get("/syncs/leads/runs?before=-3"), "There are no runs here")
	if got := b.get("/syncs/nobody/runs"); got.status != http.StatusNotFound {
		t.Errorf("of a sync that is not there: %d", got.status)
	}
}

func TestAHeldRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	k := newWorks(t, w)
	close(k.goOn)
	k.ended(ledger.StatusOK)
	first := k.ended(ledger.StatusHeld)
	second := k.ended(ledger.StatusHeld)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	at := func(id int64, order string) string { return fmt.Sprintf("/runs/%d%s", id, order) }
	has(t, "the overview", b.get("/"), fmt.Sprintf(`href="/runs/%d"`, first))
	has(t, "a held run", b.get(at(second, "")), "Why it is held", "removals", `<a href="/runs/3/plan">213</a>`, "waiting for approval", "!left alone on purpose", `class="button strong" href="/runs/3/approve"`, `class="button" href="/runs/3/dismiss"`, "1,111", "4,444", `href="/runs/1"`, "Contacts that would be created", "ada@example.com", "signed up", "Approve", "Dismiss", "!Cancel")
	has(t, "a viewer", viewer.get(at(second, "")), "1,111", "4711", "!ada@example.com", "!Approve", "!Dismiss", "create a contact, set firstName", "Every change of the plan")
	plan := at(second, "/plan")
	has(t, "its plan", b.get(plan), ">1<", "one@example.com", "take off topic news (when newsletter)", "many98<", "!many99<", "More rows", "/people/", "!From the beginning")
	has(t, "the next rows", b.get(next(t, b.get(plan), "More rows")), "many99<", "many198<", "!many98<", "From the beginning")
	has(t, "the last rows", b.get(next(t, b.get(next(t, b.get(plan), "More rows")), "More rows")), "many209<", "alert(1)", "send the event signed up", "!More rows")
	has(t, "what is created", b.get(plan+"?kind=create"), "4711", "!many", "!More rows", "plan.csv?kind=create")
	has(t, "one row", b.get(plan+"?key=many7"), "many7@example.com", "!many8@")
	has(t, "nothing is so", b.get(plan+"?kind=delete"), "Nothing of the plan is so")
	has(t, "its filters", b.get(plan), `<option value="create">`, `<option value="remove_topic">`, `<option value="event">`, `!<option value="delete">`, `!<option value="rename">`, `!<option value="opt_out">`)
	has(t, "what is no such thing", b.get(plan+"?kind="+url.QueryEscape(nasty)+"&after=x.1"), ">1<")
	has(t, "the plan for a viewer", viewer.get(plan+"?kind=create"), "4711", "create a contact, set firstName", "!ada@", "!alert(1)</bdi></td>", "!/people/", `name="key"`)
	file := func(b *browser, query string) (rows [][]string) {
		t.Helper()
		got := b.get(plan + ".csv" + query)
		rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil || !strings.Contains(got.header.Get("Content-Disposition"), "run-3-plan.csv") {
			t.Fatalf("%v, %+v", err, got)
		}
		return rows
	}
	if rows := file(b, ""); len(rows) != 214 || !slices.Equal(rows[1][1:5], []string{"1", "one@example.com", "remove_topic", "take off topic news (when newsletter)"}) || rows[212][3] != "create event" {
		t.Errorf("%d rows: %q", len(rows), rows[:3])
	}
	if rows := file(viewer, "?kind=create"); len(rows) != 3 || rows[1][1] != "4711" || rows[2][1] != "" || rows[1][2] != "" || strings.Contains(rows[1][4], "alert") {
		t.Errorf("a viewer has %q", rows)
	}
	k.mu.Lock()
	k.personal = true
	k.mu.Unlock()
	has(t, "a viewer of persons", viewer.get(plan), "!many", "hidden", `!name="key"`)
	if got := viewer.get(plan + "?key=many7"); got.status != http.StatusForbidden {
		t.Errorf("a viewer may ask for a person: %d", got.status)
	}
	k.mu.Lock()
	k.personal = false
	k.mu.Unlock()
	has(t, "the question", b.get(at(second, "/approve")), "Approve run 3?", "1,111 contacts", "222 contacts", "333 contacts", "4,444 requests", "alert(1)")
	has(t, "the other question", b.get(at(first, "/dismiss")), "Dismiss run 2?", "1,111 contacts", "The plan is dropped")
	for _, order := range []string{"/approve", "/dismiss"} {
		if got := viewer.send("/", at(second, order)); got.status != http.StatusForbidden {
			t.Errorf("a viewer may %s: %d", order, got.status)
		}
		if got := b.do(http.MethodPost, at(second, order), url.Values{"form": {"wrong"}}); got.status != http.StatusForbidden {
			t.Errorf("without the token of the form %s: %d", order, got.status)
		}
	}
	if got := b.get(at(second, "/cancel")); got.status != http.StatusConflict || !strings.Contains(got.body, "can be dismissed") {
		t.Errorf("cancel what is held: %d", got.status)
	}
	has(t, "dismissed", b.send(at(first, "/dismiss"), at(first, "/dismiss")), "Its plan was dismissed by <bdi>ada</bdi> on <time", "!Approve", "Why it was held", "!Why it is held", "Its plan beside")
	if got := b.get(at(first, "/plan")); got.status != http.StatusNotFound || !strings.Contains(got.body, "not held") {
		t.Errorf("the plan of a run that is not held: %d", got.status)
	}
	if got := b.send(at(second, ""), at(first, "/dismiss")); got.status != http.StatusConflict {
		t.Errorf("dismissed twice: %d", got.status)
	}
	has(t, "the overview after that", b.get("/"), fmt.Sprintf(`!href="/runs/%d"`, first), fmt.Sprintf(`href="/runs/%d"`, second))
	has(t, "approved", b.send(at(second, "/approve"), at(second, "/approve")), "Run 4 of")
	k.until(second, ledger.StatusApproved)
	has(t, "what became of it", b.get(at(second, "")), "Its plan was approved by <bdi>ada</bdi> on <time", `<a href="/runs/4">Run 4</a> applied it`, "Why it was held", "Its plan beside", "1,111", "waited for approval", "!left alone on purpose", "the sums alone are kept")
	has(t, "what applied it", b.get(at(4, "")), `It applied the plan of <a href="/runs/3">run 3</a>, which was approved by <bdi>ada</bdi> on <time`, "The plan that was approved", "1,111")
	has(t, "for a viewer", viewer.get(at(4, "")), `<a href="/runs/3">run 3</a>, which was approved by an operator on <time`, "!ada</bdi> on")
	has(t, "in the list", b.get("/syncs/"+url.PathEscape(nasty)), "applies the plan of run 3")
	if got := b.send("/", at(second, "/dismiss")); got.status != http.StatusConflict {
		t.Errorf("dismissed what was approved: %d", got.status)
	}
	k.audited("ada dismiss 2", "ada approve 3")
	third := k.ended(ledger.StatusHeld)
	k.ended(ledger.StatusStopped)
	k.settles = map[int64]ledger.Status{third: ledger.StatusSuperseded}
	k.ended(ledger.StatusOK)
	has(t, "superseded", b.get(at(third, "")), `<a href="/runs/7">Run 7</a> took its place`, "Why it was held", "!Why it is held", "Its plan beside")
}

// TestAPlanThatIsBeingApplied cannot be approved again, and its page says who approved it and which run applies it.
func TestAPlanThatIsBeingApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	defer close(k.goOn)
	held := k.ended(ledger.StatusHeld)
	b, at := w.browser(), fmt.Sprintf("/runs/%d", held)
	has(t, "its question", b.get(at), "waits until somebody approves or dismisses it", `href="/runs/1/approve"`)
	b.send(at+"/approve", at+"/approve")
	k.until(2, ledger.StatusRunning)
	has(t, "the held run", b.get(at), "Its plan was approved by <bdi>somebody on this machine</bdi> on <time", `<a href="/runs/2">Run 2</a> applies it`, "!waits until", `!href="/runs/1/approve"`)
	has(t, "the run that applies it", b.get("/runs/2"), `It applies the plan of <a href="/runs/1">run 1</a>`)
}

// TestACommandThatApproved leaves no word in the record of its run: both pages still tell of each other.
func TestACommandThatApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	held := k.ended(ledger.StatusHeld)
	k.settles = map[int64]ledger.Status{held: ledger.StatusApproved}
	by := k.ended(ledger.StatusOK)
	k.settles = nil
	if err := k.ledger.NoteAudit(t.Context(), ledger.AuditLine{Who: "root", Way: ledger.ByCommand, What: ledger.DeedApprove, Sync: nasty, Run: held}); err != nil {
		t.Fatal(err)
	}
	k.ended(ledger.StatusOK)
	b := w.browser()
	has(t, "the held run", b.get(fmt.Sprintf("/runs/%d", held)), "approved by <bdi>root</bdi>, at the command line, on <time", fmt.Sprintf(`<a href="/runs/%d">Run %d</a> applied it`, by, by))
	has(t, "the run that applied it", b.get(fmt.Sprintf("/runs/%d", by)), fmt.Sprintf(`It applied the plan of <a href="/runs/%d">run %d</a>, which was approved by <bdi>root</bdi>, at the command line, on`, held, held))
	has(t, "the next run", b.get(fmt.Sprintf("/runs/%d", by+1)), "!It applied the plan")
}

func TestOrdersOnASync(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	k := newWorks(t, w)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	path := "/syncs/" + url.PathEscape(nasty)
	has(t, "a viewer", viewer.get(path), "!>Run now<", "!>Plan now<", "Let an operator press")
	if got := viewer.send(path, path+"/run"); got.status != http.StatusForbidden {
		t.Errorf("a viewer may run: %d", got.status)
	}
	has(t, "run now", b.send(path, path+"/run"), "Run 1 of", "Cancel", "Load it again")
	k.until(1, ledger.StatusRunning)
	has(t, "plan now", b.send(path, path+"/plan"), "Run 2 of", "queued", "asked to show its plan first")
	if r, err := k.ledger.Run(t.Context(), 2); err != nil || r.Mode != ledger.ModeReview {
		t.Errorf("%+v, %v", r, err)
	}
	has(t, "the question of a queued run", b.get("/runs/2/cancel"), "has not begun")
	has(t, "cancelled", b.send("/runs/2/cancel", "/runs/2/cancel"), "cancelled", "!Load it again")
	has(t, "the question of a run", b.get("/runs/1/cancel"), "finishes what is in flight")
	b.send("/runs/1/cancel", "/runs/1/cancel")
	k.until(1, ledger.StatusInterrupted)
	if got := b.send("/", "/syncs/nobody/run"); got.status != http.StatusNotFound {
		t.Errorf("run what is not there: %d", got.status)
	}
	k.audited("ada run 1", "ada plan 2", "ada cancel 2", "ada cancel 1")
}
