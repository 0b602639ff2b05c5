package explain

import (
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/own"
)

// Happened says what a line of history tells, as what somebody did.
func Happened(h ledger.HistoryLine) string {
	event, note := h.Event, h.Note
	switch event {
	case string(owlatsync.Created):
		return "created the contact"
	case string(owlatsync.Adopted):
		return "took the contact over as it was in Owlat"
	case string(owlatsync.Updated):
		if note == "" {
			return "recorded a change that needed no request"
		}
		return "changed " + strings.ReplaceAll(note, "email", "the address")
	case ledger.EventKept:
		return "kept what Owlat has as " + strings.ReplaceAll(note, own.Email, "the address") + ", although the row says something else"
	case "topic added":
		return "put it on topic " + note
	case "topic found":
		return "found it on topic " + note
	case "topic removed":
		return "took it off topic " + note
	case "topic left":
		return "found that the person has left topic " + note
	case "gone":
		return "found the contact deleted in Owlat"
	case "deleted":
		return "deleted the contact"
	case ledger.EventOptedOut:
		return "opted the person out of everything in Owlat, because no mail may go to them"
	case ledger.EventLifted:
		return "ended the suppression of the address"
	case ledger.EventRowLeft:
		return "found that the row has left the source"
	case "retry":
		return "asked to try again"
	case "event sent":
		return "sent event " + note
	case "event unknown":
		return "lost the answer to event " + note
	}
	if note == "" {
		return event
	}
	return event + ": " + note
}
