package tale

import (
	"strings"
	"testing"

	"owlatsync/ledger"
)

// TestWhatWebhooksTellIsPrintable: no text of a webhook reaches the terminal as it is.
func TestWhatWebhooksTellIsPrintable(t *testing.T) {
	t.Parallel()
	const bad = "a\x1b[31mb"
	for _, f := range []ledger.Feedback{
		{Event: "topic.unsubscribed", Topics: []ledger.FeedbackTopic{{ID: bad}, {ID: bad, Name: bad}}},
		{Event: "topic.unsubscribed"},
		{Event: "email.bounced", Kind: "hard", Detail: bad},
		{Event: "contact.created", Kind: bad},
		{Event: "contact.created"},
		{Event: bad},
	} {
		if said := heardWords(&f, false); strings.Contains(said, "\x1b") || said == "" || strings.HasSuffix(said, " ") {
			t.Errorf("%+v is told as %q", f, said)
		}
	}
}
