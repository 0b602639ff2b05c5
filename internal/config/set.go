package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Set is all that a configuration file says: one deployment, or several that one service keeps in step, each with its own key,
// budget and syncs.
type Set struct {
	File    string  // the file, absolute
	Service Service // of the process
	Ledger  Ledger  // as the file names it; that of each deployment is in its Config
	// NoService is an *Error about settings of the service that are not used, which are not to be relied on then.
	NoService error

	// Several is whether the file has "deployments". Without it, Deployments is the one whose name is empty.
	Several bool
	// Deployments are those that can be used, in the order of the file, or by name where they have files of their own.
	Deployments []*Config
	// Broken says by name why other deployments cannot be used. Their mistakes are an *Error.
	Broken map[string]error
	// Alerts has by name whom broken deployments tell what is wrong, where no mistake is in that.
	Alerts map[string][]Alert
	// Guarded is whether a broken deployment has tokens or accounts, or may have: without them the service must not be open to everybody.
	Guarded bool
}

// ErrWhich matches the error of Deployment if several deployments are there and none was named.
var ErrWhich = errors.New("there are several deployments")

// Names lists all deployments, also the broken ones, sorted. It is empty for a file without "deployments".
func (s *Set) Names() []string {
	if !s.Several {
		return nil
	}
	names := slices.Collect(maps.Keys(s.Broken))
	for _, d := range s.Deployments {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

// Deployment returns the deployment with the name. An empty name is the only one that there is. The error of a broken deployment is
// an *Error.
func (s *Set) Deployment(name string) (*Config, error) {
	names := s.Names()
	switch {
	case !s.Several && name == "":
		return s.Deployments[0], nil
	case !s.Several:
		return nil, fmt.Errorf("there is no deployment %q: %s has one deployment, which needs no name", name, s.File)
	case len(names) == 0:
		return nil, fmt.Errorf("%s has no deployment yet", s.File)
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "":
		return nil, fmt.Errorf("%w in %s: %s", ErrWhich, s.File, listed(names))
	}
	if err := s.Broken[name]; err != nil {
		return nil, err
	}
	for _, d := range s.Deployments {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("there is no deployment %q in %s; there are: %s", name, s.File, listed(names))
}

// mostListed is how many names an error lists.
const mostListed = 20

func listed(names []string) string {
	if more := len(names) - mostListed; more > 0 {
		return strings.Join(names[:mostListed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
