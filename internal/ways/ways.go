// Package ways says how it becomes known who has left a topic, and what Owlat can be told of people, as a configuration has it.
package ways

import "owlatsync/internal/config"

// Ways are those that there are.
type Ways struct {
	Webhooks bool // Owlat's webhooks come here
	Polling  bool // memberships are read, round by round
	Secret   bool // the unsubscribe secret is there, so that people can be opted out of everything
}

// Tell reports whether it becomes known that somebody has left a topic.
func (w Ways) Tell() bool { return w.Webhooks || w.Polling }

// Of returns the ways that are configured.
func Of(c *config.Config) Ways {
	return Ways{Webhooks: len(c.Webhooks.Secrets) > 0, Polling: c.Feedback.Every > 0, Secret: c.Owlat.UnsubscribeSecret != ""}
}
