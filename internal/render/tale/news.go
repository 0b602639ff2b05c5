package tale

import (
	"fmt"
	"strings"

	"owlatsync/internal/explain"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// news is what Owlat's webhooks told of a person.
type news struct{ *explain.Tale }

// lines says it in words, and what follows from it.
func (t news) lines() []string {
	var lines []string
	for i := range t.Heard {
		lines = append(lines, fmt.Sprintf("%s  %s", words.Clock(t.Heard[i].At), heardWords(&t.Heard[i], t.Echo(&t.Heard[i]))))
	}
	if t.Barred != nil && t.Barred.Reason.Asked() {
		lines = append(lines, asked(t.Tale))
	} else if t.Barred != nil {
		lines = append(lines, fmt.Sprintf("since %s no mail may go to the address (%s): no topic and no event, whatever the row says; "+
			"\"owlat-sync feedback lift EMAIL\" ends that", words.Clock(t.Barred.At), t.Barred.Reason))
	}
	return lines
}

// asked tells a suppression by the user's own word.
func asked(t *explain.Tale) string {
	s, why := *t.Barred, "a row says so"
	if s.Reason == ledger.Listed {
		why = "a list said so"
	}
	told := strings.TrimSuffix(explain.OwlatTold(s, []*explain.Tale{t}, t.Ways), ".")
	if !s.Told.IsZero() {
		told = "opted out of everything in Owlat " + words.Clock(s.Told)
	}
	return fmt.Sprintf("since %s no mail may go to the person (%s; %s): no topic and no event. Only the person can take that back; by hand \"owlat-sync topic add\", "+
		"and \"owlat-sync feedback lift EMAIL\" lets runs treat them as others", words.Clock(s.At), why, told)
}

// heardWords says what a webhook told, as a sentence of a story; told has it for a table that names the event. Ours says that it follows from what the
// program did.
func heardWords(f *ledger.Feedback, ours bool) string {
	switch f.Event {
	case owlat.WebhookTopicUnsubscribed:
		names := make([]string, len(f.Topics))
		for i, topic := range f.Topics {
			names[i] = words.Printable(topic.ID)
			if topic.Name != "" {
				names[i] = fmt.Sprintf("%q (%s)", topic.Name, words.Printable(topic.ID))
			}
		}
		if ours {
			return "off " + words.OrElse(strings.Join(names, ", "), "no topic that was named") + ", because owlat-sync had opted the person out of everything"
		}
		return "left " + words.OrElse(strings.Join(names, ", "), "no topic")
	case owlat.WebhookEmailBounced:
		text := "a mail came back"
		if f.Kind == "hard" {
			text += " for good"
		}
		if f.Detail != "" {
			text += ": " + words.Printable(f.Detail)
		}
		return text
	case owlat.WebhookEmailComplained:
		return "called a mail spam"
	case owlat.WebhookContactCreated:
		return "the contact was made, by " + words.OrElse(words.Printable(f.Kind), "an unknown way")
	}
	return words.Printable(f.Event)
}
