package config

import (
	"cmp"
	"strings"
	"time"

	"owlatsync/internal/config/internal/near"
	"owlatsync/internal/config/internal/span"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
)

// Feedback is how people are found who have left topics without a webhook that tells it.
type Feedback struct {
	Every time.Duration // between two rounds; 0: nobody is looked for
	All   bool          // everybody who was put on a topic is read, and not only contacts that Owlat says were changed
	Line  int
}

const (
	// DefaultFeedbackEvery is how often people are looked for if the file does not say.
	DefaultFeedbackEvery = 15 * time.Minute

	minFeedbackEvery = time.Minute
	feedbackPoll     = "poll"
)

// feedback reads how people are looked for. That takes the unsubscribe secret.
func (d owlatDecoder) feedback(s section) (out Feedback) {
	n := s.child("feedback")
	if n == nil {
		return out
	}
	out.Line = n.Line
	if n.Kind != yamltree.Mapping {
		v := s.text("feedback")
		switch {
		case !v.given, v.text == off:
			return out
		case v.text != feedbackPoll:
			v.refuse(d.decoder, "can be poll, off, or a section such as {poll: every 15m}")
			return out
		}
		out.Every = DefaultFeedbackEvery
	} else {
		part := sectionOf[written.Feedback](d.decoder, n, setting(s.path, "feedback"))
		poll, read := part.text(feedbackPoll), part.text("read")
		out.Every = DefaultFeedbackEvery
		if poll.given {
			out.Every = d.feedbackEvery(poll)
		}
		switch like, ok := near.Word(read.text, []string{"moved", "all"}); {
		case !read.given, read.text == "moved":
		case read.text == "all":
			out.All = true
		case ok:
			read.refuse(d.decoder, "%q is not known; did you mean %s?", read.text, like)
		default:
			read.refuse(d.decoder, "%q is not known; it can be moved or all", read.text)
		}
	}
	if out.Every > 0 && !hasSecret(s) {
		d.add(n.Line, setting(s.path, "feedback"), "needs owlat.unsubscribe_secret: only with it does Owlat tell who is on a topic. Set that, or remove this and set up webhooks")
	}
	return out
}

func (d owlatDecoder) feedbackEvery(v value) time.Duration {
	text := strings.Join(strings.Fields(v.text), " ")
	if text == off {
		return 0
	}
	every, err := span.Parse(cmp.Or(strings.TrimPrefix(text, "every "), text))
	if err != nil || every < minFeedbackEvery || every > maxEvery {
		v.refuse(d.decoder, "must be every and a duration from 1m to 366d, such as every 15m, or off")
	}
	return every
}

// hasSecret reports whether the file says the unsubscribe secret. Whether it is a right one is said elsewhere.
func hasSecret(s section) bool {
	n := s.child("owlat")
	if n == nil || n.Kind != yamltree.Mapping {
		return false
	}
	_, has := n.Get("unsubscribe_secret")
	return has
}
