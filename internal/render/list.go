package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/bar"
	"owlatsync/internal/list"
)

// ListPlan says what a job would do for a list, and how long that takes.
func ListPlan(t To, from string, job list.Job, p *list.List, takes time.Duration) {
	n := len(p.Entries)
	if t.JSON {
		_ = t.json(listJSON{
			Type: "list", Job: job.Name, Topic: job.Topic, Contacts: n, Refused: len(p.Refused), Repeated: p.Repeated, Columns: columnsOf(p.Columns),
			Seconds: takes.Seconds(),
		})
		return
	}
	what := map[string]string{"upsert": "create or update", "topic add": "put on topic " + job.Topic, "topic remove": "take off topic " + job.Topic, "optout": "opt out of everything, for good"}[job.Name]
	t.printf("%s: %s to %s (%s).\n", list.Name(from), owlatsync.Counted(n, "contact"), what, bar.About(takes))
	if p.Columns.Contact != "" {
		t.printf("  the contact is in the column %q", p.Columns.Contact)
		for _, f := range owlatsync.ContactFields {
			if column := p.Columns.Fields[f]; column != "" {
				t.printf(", the %s in %q", f.Label(), column)
			}
		}
		if p.Columns.FullName != "" {
			t.printf(", the whole name in %q", p.Columns.FullName)
		}
		t.printf("\n")
	}
	if p.Repeated > 0 {
		t.printf("  %s repeated\n", owlatsync.Counted(p.Repeated, "line"))
	}
	if len(p.Refused) > 0 {
		t.printf("  %s cannot be sent\n", owlatsync.Counted(len(p.Refused), "line"))
	}
}

// Survey tells what an optout will do, and what it cannot do without the unsubscribe secret.
func Survey(t To, s list.Survey, secret bool, topics int, byLinks time.Duration) {
	if t.JSON {
		_ = t.json(surveyJSON{"survey", s, secret, byLinks.Seconds()})
		return
	}
	t.printf("  the ledger knows the contacts of %d, and suppresses %d already\n", s.Known, s.Suppressed)
	if !secret {
		t.printf("  without owlat.unsubscribe_secret Owlat cannot be told more: they are taken off %s of the configuration, and no sync puts them on one again\n",
			owlatsync.Counted(topics, "topic"))
	} else {
		t.printf("  at most %s by links, which take nothing of the key's budget (%s)\n", owlatsync.Counted(s.Links, "request"), bar.About(byLinks))
	}
	t.printf("  at most %s with the key\n", owlatsync.Counted(s.Requests, "request"))
}

// surveyJSON is what an optout will do.
type surveyJSON struct {
	Type string `json:"type"`
	list.Survey
	Secret      bool    `json:"secret"`       // there is an unsubscribe secret
	LinkSeconds float64 `json:"link_seconds"` // that the requests with it take
}

// listJSON is the plan of a list.
type listJSON struct {
	Type     string            `json:"type"`
	Job      string            `json:"job"`
	Topic    string            `json:"topic,omitempty"`
	Contacts int               `json:"contacts"`
	Refused  int               `json:"refused"`
	Repeated int               `json:"repeated"`
	Columns  map[string]string `json:"columns,omitempty"`
	Seconds  float64           `json:"seconds"` // that the requests take within the budget
}

func columnsOf(c list.Columns) map[string]string {
	if c.Contact == "" {
		return nil
	}
	columns := map[string]string{"contact": c.Contact}
	for _, f := range owlatsync.ContactFields {
		if c.Fields[f] != "" {
			columns[f.Column()] = c.Fields[f]
		}
	}
	if c.FullName != "" {
		columns["full_name"] = c.FullName
	}
	return columns
}

// mostFailures is how many failures of a list are shown; the file of failures has all.
const mostFailures = 20

// ListFailure tells the n-th line of a list that was not done. All names the file with all of them, empty: there is none.
func ListFailure(t To, topic string, r list.Result, n int, all string) {
	switch {
	case t.JSON:
		Contact(t, topic, r)
	case n <= mostFailures:
		what, name := "failed", r.Place.String()+" "+r.Contact
		if r.Contact == "" {
			what, name = "not sendable", r.Place.String()
		}
		t.printf("%-12s  %s: %v\n", what, name, r.Err)
	case n == mostFailures+1 && all == "":
		t.printf("… and more; --failures FILE writes all\n")
	case n == mostFailures+1:
		t.printf("… and more; %s has all\n", all)
	}
}

// ListSums tells what became of a list.
func ListSums(t To, job list.Job, p *list.List, sums list.Sums) {
	if t.JSON {
		_ = t.json(sumsJSON{"done", sums.Outcomes, sums.Waiting, sums.Before, sums.Failed, len(p.Refused), sums.Left})
		return
	}
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(sums.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%d %s", sums.Outcomes[outcome], outcome))
	}
	for _, more := range []struct {
		n    int
		what string
	}{
		{sums.Waiting, "of them waiting for confirmation"}, {sums.Before, "done before"}, {sums.Failed, "failed"},
		{len(p.Refused), "not sendable"}, {sums.Left, "not reached"},
	} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nobody to send"}
	}
	t.printf("%s: %s\n", job.Name, strings.Join(parts, ", "))
}

// sumsJSON is the last line about a list.
type sumsJSON struct {
	Type     string         `json:"type"`
	Outcomes map[string]int `json:"outcomes"`
	Waiting  int            `json:"waiting"`
	Before   int            `json:"before"`
	Failed   int            `json:"failed"`
	Refused  int            `json:"refused"`
	Left     int            `json:"left"`
}

// contactJSON is what is told of a contact.
type contactJSON struct {
	Type      string `json:"type"`
	Topic     string `json:"topic,omitempty"`
	Contact   string `json:"contact"`
	Line      string `json:"line,omitempty"` // of a list
	Outcome   string `json:"outcome"`
	DOIStatus string `json:"doi_status,omitempty"` // double opt-in: not_required, pending or confirmed
	Error     string `json:"error,omitempty"`
}

// Contact tells what became of a contact, on a topic unless that is empty.
func Contact(t To, topic string, r list.Result) {
	if r.Err != nil {
		r.Outcome = "failed"
	}
	switch {
	case t.JSON:
		out := contactJSON{Type: "membership", Topic: topic, Contact: r.Contact, Line: r.Place.String(), Outcome: r.Outcome, DOIStatus: r.DOIStatus}
		if r.Err != nil {
			out.Error = r.Err.Error()
		}
		if topic == "" {
			out.Type = "contact"
		}
		_ = t.json(out)
	case r.Err != nil:
		t.printf("%-12s  %s: %v\n", r.Outcome, r.Contact, r.Err)
	case r.Waits():
		t.printf("%-12s  %s (waits for the person's confirmation)\n", r.Outcome, r.Contact)
	default:
		t.printf("%-12s  %s\n", r.Outcome, r.Contact)
	}
}
