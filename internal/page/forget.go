package page

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
	"owlatsync/reconcile/bar"
)

// forgetPage asks whether a person is to be forgotten.
type forgetPage struct {
	Address, Self     string
	Rows              []rowView
	History, Heard    int
	HeardMore, Barred bool
}

// withAddress finds a person whose address is known.
func withAddress(c *call) (*person.Person, error) {
	p, err := findPerson(c)
	if err == nil && p.Address == "" {
		err = &access.Refusal{Status: http.StatusConflict, Code: "person", Message: "no address is known of this person", Hint: "search for the address itself"}
	}
	return p, err
}

func showForget(c *call) error {
	p, err := withAddress(c)
	if err != nil {
		return err
	}
	v := forgetPage{Address: p.Address, Self: c.base + "/people/" + c.r.PathValue("id"), Heard: len(p.Heard), HeardMore: len(p.Heard) == person.HeardMost, Barred: p.Barred != nil}
	for _, t := range p.Tales {
		v.Rows, v.History = append(v.Rows, newRowView(c, t)), v.History+len(t.History)
	}
	c.show(http.StatusOK, "forget", "Forget", v)
	return nil
}

// forget erases what the ledger holds of a person, as "owlat-sync ledger forget" does.
func forget(c *call) error {
	p, err := withAddress(c)
	if err != nil {
		return err
	}
	rows, err := c.d.Rows.ForgetPerson(c.r.Context(), p.Address)
	if errors.Is(err, ledger.ErrLocked) {
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "nothing was erased: " + err.Error(), Hint: "forget the person once the run has ended"}
	}
	if err != nil {
		return err
	}
	c.log.Info("a person was forgotten", "account", c.who.Name, "deployment", c.d.Name, "rows", rows)
	noteHere(c, ledger.AuditLine{What: ledger.DeedForget, Count: rows})
	http.Redirect(c.w, c.r, c.base+"/people?forgotten="+strconv.Itoa(rows), http.StatusSeeOther)
	return nil
}

// liftPage asks whether an address is to be suppressed no longer.
type liftPage struct {
	Address, Self, Why string
	Follows            []string // what follows from lifting it
	At                 time.Time
	Complained         bool
}

// suppressed finds a person whose address is suppressed.
func suppressed(c *call) (*person.Person, error) {
	p, err := withAddress(c)
	if err == nil && p.Barred == nil {
		err = &access.Refusal{Status: http.StatusConflict, Code: "person", Message: "this address is not suppressed", Hint: "somebody may have lifted it already; the feedback lists those that are"}
	}
	return p, err
}

func showLift(c *call) error {
	p, err := suppressed(c)
	if err != nil {
		return err
	}
	why, follows := story.Lifting(*p.Barred, p.Tales)
	c.show(http.StatusOK, "lift", "Lift", liftPage{p.Address, c.base + "/people/" + c.r.PathValue("id"), why, follows, p.Barred.At, p.Barred.Reason == ledger.Complained})
	return nil
}

// lift ends the suppression of an address, as "owlat-sync feedback lift" does.
func lift(c *call) error {
	p, err := suppressed(c)
	if err != nil {
		return err
	}
	if p.Barred.Reason == ledger.Complained && c.r.PostForm.Get("anew") != "yes" {
		return &access.Refusal{Status: http.StatusBadRequest, Code: "form", Message: "this person complained, and nobody said that they asked for mail anew", Hint: "say so in the form, if they did"}
	}
	was, err := bar.Lift(c.r.Context(), c.d.Rows, p.Address)
	if err != nil {
		return err
	}
	if was {
		c.log.Info("a suppression was lifted", "account", c.who.Name, "deployment", c.d.Name)
		noteHere(c, ledger.AuditLine{What: ledger.DeedLiftSuppression})
	}
	http.Redirect(c.w, c.r, c.base+"/people/"+c.r.PathValue("id")+"?done=lift", http.StatusSeeOther)
	return nil
}

// noteHere adds a line about what the caller did to the audit of the deployment.
func noteHere(c *call, line ledger.AuditLine) {
	line.Way = ledger.ByPage
	api.Note(c.r.Context(), c.d.Ledger, c.log, c.who, line)
}
