package page

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/story"
	"owlatsync/ledger"
)

// targetView is a write-back with what could not be told.
type targetView struct {
	Name          string
	Dead, Waiting int
	Letters       []letterView
}

// letterView is a delivery that was given up. A viewer gets no address.
type letterView struct {
	ID            int64
	What          string
	Email, Person string
	Attempts      int
	Error         string
	Feedback      ledger.Feedback
}

// listedLetters is how many dead letters are listed.
const listedLetters = 100

// deadLetters returns what is not written back, by target.
func deadLetters(c *call) ([]targetView, error) {
	if c.d.Outbox == nil {
		return nil, nil
	}
	counts, err := c.d.Outbox.DeliveryCounts(c.r.Context())
	if err != nil {
		return nil, err
	}
	targets, dead := make(map[string]*targetView), 0
	for name, of := range counts {
		if of[ledger.DeliveryDead]+of[ledger.DeliveryWaiting] > 0 {
			targets[name] = &targetView{Name: name, Dead: of[ledger.DeliveryDead], Waiting: of[ledger.DeliveryWaiting]}
			dead += of[ledger.DeliveryDead]
		}
	}
	if dead > 0 {
		letters, err := c.d.Outbox.Deliveries(c.r.Context(), ledger.DeliveryDead, listedLetters)
		if err != nil {
			return nil, err
		}
		for _, d := range letters {
			if t := targets[d.Target]; t != nil { // else it came meanwhile
				t.Letters = append(t.Letters, newLetterView(c, d))
			}
		}
	}
	var all []targetView
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		all = append(all, *targets[name])
	}
	return all, nil
}

func newLetterView(c *call, d ledger.Delivery) letterView {
	v := letterView{ID: d.ID, Attempts: d.Attempts, Error: d.Error, Feedback: d.Feedback}
	v.What, _ = story.Told(d.Feedback, configured(c), false)
	if c.who.May(config.Operator) {
		v.Email = d.Feedback.Email
		if word := cmp.Or(d.Feedback.Email, d.Feedback.ContactID); word != "" {
			v.Person = personAddress(c, person.Subject{Word: word})
		}
	}
	return v
}

// retryWriteBacks lets write-backs that were given up be tried again: the chosen ones, or all.
func retryWriteBacks(c *call) error {
	var ids []int64
	for _, text := range c.r.PostForm["id"] {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
			ids = append(ids, id)
		}
	}
	every := c.r.PostForm.Get("what") == "all"
	if every {
		ids = nil
	} else if len(ids) == 0 {
		return &access.Refusal{Status: http.StatusBadRequest, Code: "form", Message: "no write-back was chosen", Hint: "go back, and tick those that are to be tried again"}
	}
	told := 0
	if c.d.Outbox != nil {
		var err error
		if told, err = c.d.Outbox.RetryDeliveries(c.r.Context(), ids, c.d.Outbox.Now()); err != nil {
			return err
		}
	}
	if told > 0 {
		c.log.Info("dead deliveries are tried again", "account", c.who.Name, "deployment", c.d.Name, "deliveries", told)
		noteHere(c, ledger.AuditLine{What: ledger.DeedRetryWriteBacks, Count: told})
	}
	http.Redirect(c.w, c.r, c.base+"/failures?told="+strconv.Itoa(told)+"#write-backs", http.StatusSeeOther)
	return nil
}

// needsOfWriteBacks returns what of the write-backs waits for a person.
func needsOfWriteBacks(c *call) ([]need, error) {
	if c.d.Outbox == nil {
		return nil, nil
	}
	counts, err := c.d.Outbox.DeliveryCounts(c.r.Context())
	if err != nil {
		return nil, err
	}
	dead := 0
	for _, of := range counts {
		dead += of[ledger.DeliveryDead]
	}
	if dead == 0 {
		return nil, nil
	}
	return []need{{
		Sync: "Write-backs", What: "What Owlat told could not be written back, and was given up: " + number(dead) + ".",
		Do: "See why, and try it again once the reason is mended:", Command: c.typed().Command("feedback dead", ""), Page: "/failures#write-backs",
	}}, nil
}
