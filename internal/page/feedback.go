package page

import (
	"net/http"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/page/heard"
	"owlatsync/internal/page/person"
)

// feedbackPage is what Owlat told, and which addresses get nothing for it.
type feedbackPage struct {
	heard.List
	Last time.Time // when the latest webhook came
}

func showFeedback(c *call) (err error) {
	v := feedbackPage{}
	of := heard.Of{Rows: c.d.Rows, Syncs: configured(c), Address: c.base + "/feedback", Query: c.r.URL.Query()}
	if c.who.May(config.Operator) {
		of.Person = func(word string) string { return personAddress(c, person.Subject{Word: word}) }
	}
	if v.List, err = heard.Read(c.r.Context(), of); err != nil {
		return err
	}
	if v.Last, err = c.d.Ledger.LastFeedback(c.r.Context()); err != nil {
		return err
	}
	c.show(http.StatusOK, "feedback", "Feedback", v)
	return nil
}
