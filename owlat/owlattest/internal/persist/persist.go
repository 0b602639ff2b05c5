// Package persist writes what a deployment holds as JSON and reads it back. The types with a json tag are the format of the
// file.
package persist

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/webhooks"
)

// version is that of the format.
const version = 1

// State is all that is saved: tables, keys and the consent history.
type State struct {
	Version   int             `json:"version"`
	Drawn     uint64          `json:"drawn"`
	Random    uint64          `json:"random"`
	Seq       uint64          `json:"seq"`
	Keys      []savedKey      `json:"keys"`
	Topics    []savedTopic    `json:"topics"`
	Templates []savedTemplate `json:"templates"`
	Webhooks  []savedWebhook  `json:"webhooks"`
	Contacts  []savedContact  `json:"contacts"`
	Gone      []string        `json:"gone"` // ids of contacts deleted for good
	Blocked   []string        `json:"blocked"`
	Domain    bool            `json:"domainUnverified"`
	History   model.History   `json:"history"`
	Secret    string          `json:"unsubscribeSecret,omitempty"`
}

type savedKey struct {
	Value   string   `json:"value"`
	Scopes  []string `json:"scopes"`
	Active  bool     `json:"active"`
	Expired bool     `json:"expired"`
}

type savedTopic struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DoubleOptIn bool   `json:"doubleOptIn"`
	Deleted     bool   `json:"deleted"`
}

type savedTemplate struct {
	ID        string   `json:"id"`
	Slug      string   `json:"slug"`
	Published bool     `json:"published"`
	Languages []string `json:"languages"`
}

type savedWebhook struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Secret string   `json:"secret"`
	Events []string `json:"events"`
}

type savedContact struct {
	ID       string `json:"id"`
	Seq      uint64 `json:"seq"`
	Email    string `json:"email,omitempty"`
	Identity string `json:"identity,omitempty"`
	model.Fields
	Source       string    `json:"source"`
	DOIStatus    string    `json:"doiStatus"`
	Topics       []string  `json:"topics"`
	Created      time.Time `json:"createdAt"`
	Updated      time.Time `json:"updatedAt"`
	Unsubscribed time.Time `json:"unsubscribedAt,omitzero"`
	Erased       time.Time `json:"deletedAt,omitzero"`
}

// Snapshot returns a copy of what is to be saved. Whatever happens to the deployment later does not change it.
func Snapshot(d *model.Deployment, hooks []webhooks.Subscription) State {
	state := State{
		Version: version, Drawn: d.Random.Drawn, Random: d.Random.Seed, Seq: d.Contacts.Seq, Domain: d.Mail.Unverified,
		Blocked: slices.Sorted(maps.Keys(d.Mail.Blocked)), History: slices.Clone(d.History), Secret: d.Links.Secret(),
	}
	for _, k := range model.Ordered(d.Keys) {
		state.Keys = append(state.Keys, savedKey{k.Value, k.Scopes, !k.Inactive, k.Expired})
	}
	for _, t := range model.Ordered(d.Topics) {
		state.Topics = append(state.Topics, savedTopic{t.ID, t.Name, t.DoubleOptIn, t.Deleted})
	}
	for _, t := range model.Ordered(d.Mail.Templates) {
		state.Templates = append(state.Templates, savedTemplate{t.ID, t.Slug, t.Published, t.Languages})
	}
	for _, w := range hooks {
		state.Webhooks = append(state.Webhooks, savedWebhook{w.ID, w.URL, w.Secret, w.Events})
	}
	for id, c := range d.Contacts.Known() {
		if c.Gone {
			state.Gone = append(state.Gone, id)
			continue
		}
		state.Contacts = append(state.Contacts, savedContact{
			ID: c.ID, Seq: c.Seq, Email: c.Email, Identity: c.Identity, Fields: c.Fields,
			Source: c.Source, DOIStatus: c.DOIStatus, Topics: c.TopicIDs(), Created: c.Created, Updated: c.Updated,
			Unsubscribed: c.OptedOut, Erased: c.Erased,
		})
	}
	slices.Sort(state.Gone)
	slices.SortFunc(state.Contacts, func(a, b savedContact) int { return cmp.Compare(a.Seq, b.Seq) })
	return state
}

// Write writes the state.
func (state State) Write(w io.Writer) error { return json.NewEncoder(w).Encode(state) }

// Read reads a state that Write wrote and refuses what Restore could not take.
func Read(r io.Reader) (State, error) {
	var state State
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return State{}, err
	}
	return state, state.check()
}

// Restore replaces all that the deployment holds, and adds the webhooks.
func (state State) Restore(d *model.Deployment, hooks *webhooks.Sender) {
	d.Clear()
	d.Changed()
	d.Random = model.Random{Seed: state.Random, Drawn: state.Drawn}
	d.Mail.Unverified = state.Domain
	d.History = state.History
	if state.Secret != "" {
		d.Links.SetSecret(state.Secret)
	}
	for _, email := range state.Blocked {
		d.Mail.Blocked[email] = true
	}
	for _, k := range state.Keys {
		d.AddKey(model.Key{Value: k.Value, Scopes: k.Scopes, Inactive: !k.Active, Expired: k.Expired})
	}
	for _, t := range state.Topics {
		topic := model.NewTopic(t.ID, t.Name, t.DoubleOptIn)
		topic.Deleted = t.Deleted
		d.Topics[t.ID] = topic
	}
	for _, t := range state.Templates {
		d.Mail.Templates[t.ID] = &model.Template{ID: t.ID, Slug: t.Slug, Published: t.Published, Languages: t.Languages}
	}
	for _, w := range state.Webhooks {
		hooks.Add(webhooks.Subscription{ID: w.ID, URL: w.URL, Secret: w.Secret, Events: w.Events})
	}
	for _, id := range state.Gone {
		d.Contacts.InsertGone(id)
	}
	for _, c := range state.Contacts {
		c.restore(d)
	}
	d.Contacts.Seq = state.Seq
}

func (from savedContact) restore(d *model.Deployment) {
	c := &model.Contact{
		ID: from.ID, Email: from.Email, Identity: from.Identity, Fields: from.Fields,
		Source: from.Source, DOIStatus: from.DOIStatus, Created: from.Created, Updated: from.Updated, OptedOut: from.Unsubscribed,
	}
	d.Contacts.Seq = from.Seq - 1
	d.Contacts.Insert(c)
	for _, id := range from.Topics {
		d.Topics[id].Join(c)
	}
	if c.Erased = from.Erased; !c.Erased.IsZero() {
		d.Contacts.Retire(c)
	}
}

// check refuses what Save cannot have written and restore could not take.
func (state *State) check() error {
	if state.Version != version {
		return fmt.Errorf("the file has version %d, this program reads version %d", state.Version, version)
	}
	topics := map[string]bool{}
	for _, t := range state.Topics {
		topics[t.ID] = true
	}
	last := uint64(0)
	for _, c := range state.Contacts {
		if c.Seq <= last || c.Seq > state.Seq {
			return fmt.Errorf("contact %s is out of order", c.ID)
		}
		last = c.Seq
		for _, id := range c.Topics {
			if !topics[id] {
				return fmt.Errorf("contact %s is on a topic that does not exist", c.ID)
			}
		}
	}
	return nil
}
