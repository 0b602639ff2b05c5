package config

import (
	"strings"
	"testing"
	"time"
)

// polled is a configuration with a section, with the unsubscribe secret or without.
func polled(section string, secret bool) string {
	owlat := "owlat: {api_key: " + testKey + "}\n"
	if secret {
		owlat = "owlat: {api_key: " + testKey + ", unsubscribe_secret: " + testSecret + "}\n"
	}
	return owlat + section + served("", "", "")[strings.Index(served("", "", ""), "syncs:"):]
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	for section, want := range map[string]Feedback{
		"":                                        {},
		"feedback: poll\n":                        {Every: 15 * time.Minute, Line: 2},
		"feedback: off\n":                         {Line: 2},
		"feedback: {poll: every   30m}\n":         {Every: 30 * time.Minute, Line: 2},
		"feedback: {poll: 1d, read: all}\n":       {Every: 24 * time.Hour, All: true, Line: 2},
		"feedback: {read: moved}\n":               {Every: 15 * time.Minute, Line: 2},
		"feedback:\n  poll: off\n  read: all\n":   {All: true, Line: 3},
		"feedback: {poll: every 1m, read: all}\n": {Every: time.Minute, All: true, Line: 2},
	} {
		cfg, err := Parse("f.yaml", []byte(polled(section, true)), env(nil))
		if err != nil {
			t.Errorf("%q: %v", section, err)
			continue
		}
		if cfg.Feedback != want {
			t.Errorf("%q: %+v, want %+v", section, cfg.Feedback, want)
		}
	}
	for section, want := range map[string]string{
		"feedback: webhooks\n":          "f.yaml:2: feedback: can be poll, off, or a section such as {poll: every 15m}",
		"feedback: [poll]\n":            "f.yaml:2: feedback: must be",
		"feedback: {poll: every 5s}\n":  "f.yaml:2: feedback.poll: must be every and a duration from 1m to 366d, such as every 15m, or off",
		"feedback: {poll: soon}\n":      "f.yaml:2: feedback.poll: must be every and a duration from 1m to 366d, such as every 15m, or off",
		"feedback: {read: al}\n":        `f.yaml:2: feedback.read: "al" is not known; did you mean all?`,
		"feedback: {read: everybody}\n": `f.yaml:2: feedback.read: "everybody" is not known; it can be moved or all`,
		"feedback: {every: 15m}\n":      `f.yaml:2: feedback: unknown key "every"; known here: poll, read`,
	} {
		if _, err := Parse("f.yaml", []byte(polled(section, true)), env(nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", section, err, want)
		}
	}
	const needs = "f.yaml:2: feedback: needs owlat.unsubscribe_secret: only with it does Owlat tell who is on a topic. Set that, or remove this and set up webhooks"
	if _, err := Parse("f.yaml", []byte(polled("feedback: poll\n", false)), env(nil)); err == nil || !strings.Contains(err.Error(), needs) {
		t.Errorf("without the secret: %v", err)
	}
	if _, err := Parse("f.yaml", []byte(polled("feedback: off\n", false)), env(nil)); err != nil {
		t.Errorf("off without the secret: %v", err)
	}
}
