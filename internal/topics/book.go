// Package topics knows what the topics of a deployment are called. Owlat's API tells neither their names nor which there are; the links
// in Owlat's mails do, and with the deployment's unsubscribe secret the preferences of any one contact are enough. A Book is what they
// told, at one time.
package topics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"owlatsync/internal/words"
)

// Topic is a topic of the deployment.
type Topic struct{ ID, Name string }

// Book has all topics of a deployment, by name. The zero value knows none.
type Book struct{ topics []Topic }

// Topics returns all topics, by name.
func (b Book) Topics() []Topic { return slices.Clone(b.topics) }

// Name returns the name of the topic with the id; ok is false if there is none.
func (b Book) Name(id string) (name string, ok bool) {
	i := slices.IndexFunc(b.topics, func(t Topic) bool { return t.ID == id })
	if i < 0 {
		return "", false
	}
	return b.topics[i].Name, true
}

// Find returns the id of the topic with that name. A name that differs in its letter case alone counts where none is the same. Its
// errors name the ids of several, or the names that are nearest.
func (b Book) Find(name string) (id string, err error) {
	found := b.called(func(other string) bool { return other == name })
	if len(found) == 0 {
		found = b.called(func(other string) bool { return strings.EqualFold(other, name) })
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		return "", fmt.Errorf("no topic called %q is in Owlat; %s", name, b.instead(name))
	}
	ids := make([]string, len(found))
	for i, t := range found {
		ids[i] = t.ID
	}
	return "", fmt.Errorf("%d topics in Owlat are called %q, with the ids %s; name the one that is meant by its id", len(found), name, strings.Join(ids, ", "))
}

func (b Book) called(is func(name string) bool) (found []Topic) {
	for _, t := range b.topics {
		if is(strings.TrimSpace(t.Name)) {
			found = append(found, t)
		}
	}
	return found
}

// mostNear is how many names an error shows.
const mostNear = 5

// instead says which topics there are, those first whose names are the most like name.
func (b Book) instead(name string) string {
	if len(b.topics) == 0 {
		return "it has no topic at all"
	}
	near := slices.Clone(b.topics)
	like := func(t Topic) int {
		return levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(strings.TrimSpace(t.Name)))
	}
	slices.SortStableFunc(near, func(x, y Topic) int { return cmp.Compare(like(x), like(y)) })
	shown := make([]string, 0, mostNear)
	for _, t := range near[:min(len(near), mostNear)] {
		shown = append(shown, t.String())
	}
	text := "the nearest are "
	if len(near) <= mostNear {
		text = "it has "
	}
	return text + strings.Join(shown, ", ")
}

// maxShown is how many characters of a name are shown.
const maxShown = 60

// String returns the topic's name and its id, on one line: "Newsletter (k57…)".
func (t Topic) String() string {
	name := []rune(strings.TrimSpace(t.Name))
	if len(name) > maxShown {
		name = append(name[:maxShown-3], '.', '.', '.')
	}
	if len(name) == 0 {
		return t.ID
	}
	return fmt.Sprintf("%s (%s)", words.Printable(string(name)), t.ID)
}
