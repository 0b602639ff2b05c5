// Package rowlist lists what became of single rows in a run, and what the plan of a held run would do with them: a part at a time, narrowed down, and as
// CSV.
//
// The idea to know: whoever calls says what the viewer may see, and this package leaves out everything else, from pages and files alike.
package rowlist

import (
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/page/fed"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Of is a run whose rows are listed, and for whom.
type Of struct {
	Rows    api.Decisions
	Run     *ledger.Run
	Address string // of the list
	Query   url.Values
	Named   bool   // the viewer may see keys
	Whole   bool   // the viewer may also see keys that are or hold addresses, and the values of rows
	Who     string // the viewer
	Topic   func(id string) fed.Topic
	Person  func(key string) string // the address of the page of a row's person

	Open      func() iter.Seq2[*ledger.Entry, error] // streams the rows of the sync that are not in step now; nil: they are not known
	OnMissing string                                 // what the sync does about rows that left the source, as its configuration says; empty: it is not known
}

// listed is how many rows a page has.
const listed = 100

// key returns the key that is searched for, empty for all, or why the viewer may not search for one.
func (of *Of) key() (string, error) {
	key := of.Query.Get("key")
	if key != "" && !of.Named {
		return "", &access.Refusal{Status: http.StatusForbidden, Code: access.CodeRole, Message: "the keys of this sync name persons, and " + of.Who + " is a viewer"}
	}
	return key, nil
}

// shown returns a key as the viewer may see it, empty if they may not.
func (of *Of) shown(key string) string {
	if !of.Named || !of.Whole && (step.Decision{Key: key}).PublicKey() == "" {
		return ""
	}
	return key
}

// longestLinked is the longest key that leads to its person, in bytes: its address is longer still, and a page has a hundred of them.
const longestLinked = 200

// person returns the address of the page of a row's person, empty if it is not for the viewer.
func (of *Of) person(key string) string {
	if !of.Whole || key == "" || len(key) > longestLinked {
		return ""
	}
	return of.Person(key)
}

// words and cited name a topic for people, and in files.
func (of *Of) words(id string) string { return of.Topic(id).Words() }
func (of *Of) cited(id string) string { return of.Topic(id).Cited() }

// Begin begins to answer with a file; without it nothing is written.
type Begin func() io.Writer

// Choice is one thing that a list can be narrowed down to.
type Choice struct{ Value, Text string }

func link(address string, query url.Values) string {
	if len(query) == 0 {
		return address
	}
	return address + "?" + query.Encode()
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }
