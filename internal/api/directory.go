package api

import (
	"errors"
	"fmt"
	"net/http"

	"owlatsync/internal/access"
	"owlatsync/internal/problem"
)

// Deployment is one deployment as the API and the page show it. Webhooks and Outbox may be nil, and without a page Rows and Inquiry.
type Deployment struct {
	Name    string // empty: the only one of a service without names
	Service Service
	Desk    Desk
	Hub     Hub
	Ledger  Ledger
	Outbox  Outbox
	Rows    Rows
	Inquiry Inquiry
	// Decisions tell what runs did, or would do, with single rows. The API itself does without.
	Decisions Decisions
	// Webhooks takes in what Owlat tells. It lets in by itself: the signature is the key.
	Webhooks http.Handler
}

// Directory has the deployments of a service. Its methods are safe for concurrent use.
type Directory interface {
	// Names lists the deployments, sorted, also those that are not open. A service without names has one whose name is empty.
	Names() []string
	// Find returns a deployment. It fails with ErrNoDeployment, or with the reason why the deployment is not open, which holds no
	// secret.
	Find(name string) (*Deployment, error)
}

// ErrNoDeployment says that a service has no deployment with a name.
var ErrNoDeployment = errors.New("there is no such deployment")

// find returns the deployment that a request is about: the one in its address, or the only one that the caller reaches.
func (a *API) find(c *call) (*Deployment, error) {
	name, given := c.r.PathValue("deployment"), c.r.PathValue("deployment") != ""
	if !given {
		var err error
		if name, err = a.only(c.who); err != nil {
			return nil, err
		}
	} else if !c.who.Reaches(name) {
		return nil, noDeployment(name)
	}
	d, err := a.parts.Directory.Find(name)
	switch {
	case errors.Is(err, ErrNoDeployment):
		return nil, noDeployment(name)
	case err != nil:
		return nil, notOpen(name, err)
	}
	if given {
		c.base = root + "/deployments/" + name
	}
	return d, nil
}

// only returns the only deployment that somebody reaches.
func (a *API) only(who access.Principal) (string, error) {
	if who.Deployment != "" {
		return who.Deployment, nil
	}
	switch names := a.parts.Directory.Names(); len(names) {
	case 0:
		return "", &access.Refusal{Status: http.StatusNotFound, Code: codeDeployment, Message: "the service has no deployment", Hint: "put one into its configuration"}
	case 1:
		return names[0], nil
	}
	return "", &access.Refusal{Status: http.StatusNotFound, Code: codeDeployment, Message: "the service has several deployments, and the address names none",
		Hint: "GET /api/v1/deployments lists them; put \"/deployments/NAME\" behind \"/api/v1\""}
}

func noDeployment(name string) error {
	return &access.Refusal{Status: http.StatusNotFound, Code: codeDeployment, Message: fmt.Sprintf("there is no deployment %.100q, or the token does not reach it", name),
		Hint: "GET /api/v1/deployments lists the deployments"}
}

func notOpen(name string, err error) error {
	hint := "set its configuration right and let the service read it again"
	if own := problem.HintOf(err); own != "" {
		hint = own
	}
	return &access.Refusal{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Message: fmt.Sprintf("the deployment %q is not open: %s", name, err), Hint: hint}
}

func oneAlone(why string) error {
	return &access.Refusal{Status: http.StatusForbidden, Code: access.CodeRole, Message: "the token reaches one deployment alone, and " + why,
		Hint: "use a token of serve.tokens in the configuration"}
}

// deploymentJSON is a deployment in the list of all.
type deploymentJSON struct {
	Deployment string `json:"deployment"`
	URL        string `json:"url"` // below which its addresses are
	Open       bool   `json:"open"`
	Why        string `json:"why,omitempty"` // why it is not open
}

// deployments lists the deployments that the caller reaches.
func deployments(a *API, c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	all := []deploymentJSON{}
	for _, name := range a.parts.Directory.Names() {
		if !c.who.Reaches(name) {
			continue
		}
		j := deploymentJSON{Deployment: name, URL: root, Open: true}
		if name != "" {
			j.URL += "/deployments/" + name
		}
		if _, err := a.parts.Directory.Find(name); err != nil {
			j.Open, j.Why = false, err.Error()
		}
		all = append(all, j)
	}
	answer(c.w, http.StatusOK, map[string]any{"deployments": all})
	return nil
}
