package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
)

// Incident is something that is wrong now.
type Incident struct {
	Kind  string // of config.AlertKinds
	About string // the sync or the write-back; empty: the whole service
	// State tells incidents of one kind about one thing apart: another State is told anew.
	State string

	Sync  string
	Run   int64
	Title string
	Text  string
	Do    string
	Over  string // the title when it is over
}

// key names what is wrong, for as long as it is.
func (i Incident) key() string { return i.Kind + " " + i.About }

// of says which of several deployments an incident is of.
func (i Incident) of(deployment string) Incident {
	if deployment == "" {
		return i
	}
	i.Title, i.Over = deployment+": "+i.Title, deployment+": "+i.Over
	i.Do = strings.ReplaceAll(i.Do, "\"owlat-sync ", "\"owlat-sync --deployment "+deployment+" ")
	i.Do = strings.ReplaceAll(i.Do, "/webhooks/owlat of", "/webhooks/owlat/"+deployment+" of")
	return i
}

// StuckAfter is how long deliveries of a write-back wait without one being done before that is told.
const StuckAfter = 30 * time.Minute

// Incidents returns what is wrong. Silence is why webhooks of Owlat seem not to arrive, empty if they do; mistake is why a new configuration
// is not taken over, empty if it is.
func Incidents(signs vitals.Signs, silence, mistake string) (all []Incident) {
	for _, s := range signs.Syncs {
		all = append(all, ofSync(s, signs.At)...)
	}
	for _, w := range signs.WriteBacks {
		all = append(all, ofWriteBack(w, signs.At)...)
	}
	if silence != "" {
		all = append(all, Incident{
			Kind: config.AlertSilent, Title: "No webhook has come from Owlat", Text: sentence(silence),
			Do: "Look at the webhook in Owlat's settings: it must be active, and its URL must lead to /webhooks/owlat of this service from " +
				"outside. \"owlat-sync check\" tests what it can, and \"owlat-sync feedback\" lists what came.",
			Over: "Webhooks come from Owlat again",
		})
	}
	if mistake != "" {
		all = append(all, misconfigured(mistake))
	}
	return all
}

func ofSync(s vitals.Sync, now time.Time) (all []Incident) {
	if r := s.Last; r != nil {
		if i, bad := failure(s.Name, *r); bad {
			all = append(all, i)
		}
	}
	if len(s.Held) > 0 {
		all = append(all, held(s.Name, s.Held[0]))
	}
	if r := s.Whole; r != nil {
		if i, bad := rows(s.Name, *r); bad {
			all = append(all, i)
		}
	}
	if s.Stale(now) {
		all = append(all, stale(s, now))
	}
	return all
}

func failure(sync string, r ledger.Run) (Incident, bool) {
	i := Incident{
		Kind: config.AlertFailure, About: sync, Sync: sync, Run: r.ID, Title: fmt.Sprintf("Sync %s failed", sync),
		Over: fmt.Sprintf("Sync %s runs again", sync),
	}
	check := fmt.Sprintf("\"owlat-sync check --sync %s\" tells what is wrong with the source, the API key or the topics.", sync)
	switch r.Status {
	case ledger.StatusError:
		i.Text, i.Do = fmt.Sprintf("Run %d ended with an error", r.ID), check
	case ledger.StatusStopped:
		i.Text, i.Do = fmt.Sprintf("Run %d was stopped because Owlat takes no requests", r.ID), "See that Owlat runs and that the API key is valid. "+check
	case ledger.StatusDied:
		i.Text = fmt.Sprintf("Run %d broke off", r.ID)
		i.Do = "Nothing, if the machine was stopped: the next run goes on from what is certain. Otherwise look in the log why the process ended, such as for want of memory."
	default:
		return i, false
	}
	if r.Message != "" {
		// Messages hold no address, but this one leaves the house: what a database says in its own words is looked at once more.
		i.Text += ": " + addressForm.ReplaceAllString(r.Message, "…")
	}
	i.Text = sentence(i.Text)
	return i, true
}

func held(sync string, r ledger.Run) Incident {
	var names, reasons []string
	for _, hit := range r.Guards {
		names, reasons = append(names, string(hit.Guard)), append(reasons, hit.Reason)
	}
	slices.Sort(names)
	text := fmt.Sprintf("A guard holds run %d, and nothing was changed", r.ID)
	if len(reasons) > 0 {
		text += ": " + strings.Join(reasons, "; ")
	}
	return Incident{
		Kind: config.AlertHeld, About: sync, State: strings.Join(names, ","), Sync: sync, Run: r.ID, Title: fmt.Sprintf("Sync %s waits for approval", sync),
		Text: sentence(text),
		Do: fmt.Sprintf("Look at \"owlat-sync plan --sync %s\". If that is what should happen, \"owlat-sync approve %d\" does it; if not, set the source right.",
			sync, r.ID),
		Over: fmt.Sprintf("Sync %s waits no longer", sync),
	}
}

// rows tells too many rows that failed or are invalid: more than 5, and more than a tenth.
func rows(sync string, r ledger.Run) (Incident, bool) {
	failed, invalid := r.Report.Outcomes[owlatsync.Failed], r.Report.Outcomes[owlatsync.Invalid]
	whole := r.Report.Rows
	if r.Summary != nil {
		whole = max(whole, r.Summary.Entries) // of a run that read only what changed
	}
	i := Incident{
		Kind: config.AlertRows, About: sync, Sync: sync, Run: r.ID, Title: fmt.Sprintf("Many rows of sync %s cannot be sent", sync),
		Do:   fmt.Sprintf("\"owlat-sync failures --sync %s\" lists the rows and why.", sync),
		Over: fmt.Sprintf("Few or no rows of sync %s fail any more", sync),
	}
	bad := failed + invalid
	why := r.Report.Spoiled()
	if why == "" && (bad <= 5 || 10*bad <= whole) {
		return i, false
	}
	i.Text = sentence(fmt.Sprintf("Of %s, %d failed and %d are invalid in run %d", owlatsync.Counted(whole, "row"), failed, invalid, r.ID))
	if why != "" {
		i.Text += " " + sentence(why)
	}
	return i, true
}

func stale(s vitals.Sync, now time.Time) Incident {
	i := Incident{
		Kind: config.AlertStale, About: s.Name, Sync: s.Name, Title: fmt.Sprintf("Sync %s is stale", s.Name), Over: fmt.Sprintf("Sync %s is fresh again", s.Name),
		Do: fmt.Sprintf("\"owlat-sync status --sync %s\" shows the latest runs, and the log why none ends well. Another process may hold the ledger.", s.Name),
	}
	switch {
	case s.Going != nil:
		i.Run = s.Going.ID
		i.Text = fmt.Sprintf("Run %d is in the stage %q and has moved nothing for %s.", s.Going.ID, s.Going.Stage, ago(now.Sub(s.Stuck)))
	case s.LastGood.IsZero():
		i.Text = fmt.Sprintf("No run has ended well since the service began to look, %s ago.", ago(now.Sub(s.Since)))
	default:
		i.Text = fmt.Sprintf("The last run that ended well was at %s, %s ago.", s.LastGood.UTC().Format("2006-01-02 15:04 MST"), ago(now.Sub(s.LastGood)))
	}
	return i
}

func ofWriteBack(w vitals.WriteBack, now time.Time) []Incident {
	var parts []string
	state := "waiting"
	if w.Dead > 0 {
		state = "dead"
		parts = append(parts, fmt.Sprintf("%d were given up after many attempts", w.Dead))
	}
	if w.Waiting > 0 && now.Sub(w.Stuck) >= StuckAfter {
		parts = append(parts, fmt.Sprintf("%d wait, and none has been delivered for %s", w.Waiting, ago(now.Sub(w.Stuck))))
	}
	if len(parts) == 0 {
		return nil
	}
	return []Incident{{
		Kind: config.AlertWriteBack, About: w.Target, State: state, Title: fmt.Sprintf("Write-back %s is stuck", w.Target),
		Text: fmt.Sprintf("Of what Owlat told and is to be written back, %s.", strings.Join(parts, "; ")),
		Do:   "\"owlat-sync feedback dead\" shows why. When that is mended, \"owlat-sync feedback retry\" tries again.",
		Over: fmt.Sprintf("Write-back %s works again", w.Target),
	}}
}

// mostTold is how much of a mistake is told, in bytes.
const mostTold = 1000

// shortened makes one line of a mistake, without addresses of people.
func shortened(mistake string) string {
	text := strings.Join(strings.Fields(addressForm.ReplaceAllString(mistake, "…")), " ")
	if len(text) > mostTold {
		text = strings.ToValidUTF8(text[:mostTold], "") + " …"
	}
	return text
}

// closed tells that a deployment is left out. Another reason is told anew.
func closed(why string) Incident {
	text := shortened(why)
	return Incident{
		Kind: config.AlertFailure, State: text, Title: "The deployment is not open", Text: sentence("none of its syncs is run, and none of its webhooks is taken in: " + text),
		Do:   "Set it right, and let the service read it again: \"systemctl reload\", or SIGHUP. \"owlat-sync check\" tells what is wrong.",
		Over: "The deployment is open again",
	}
}

// misconfigured tells that a new configuration is not taken over. Another mistake is told anew.
func misconfigured(mistake string) Incident {
	text := shortened(mistake)
	return Incident{
		Kind: config.AlertConfig, State: text, Title: "The new configuration is not taken over",
		Text: sentence("the service goes on with the one before: " + text),
		Do:   "Set it right, and let the service read it again: \"systemctl reload\", or SIGHUP. \"owlat-sync check\" tells the file and the line of each mistake.",
		Over: "The configuration is taken over again",
	}
}

// ago rounds a time for people.
func ago(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return owlatsync.Counted(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return owlatsync.Counted(int(d/time.Hour), "hour")
	}
	return owlatsync.Counted(int(d/time.Minute), "minute")
}

// sentence makes one sentence of a text: it begins with a capital and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if c := text[0]; c >= 'a' && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, "!") {
		text += "."
	}
	return text
}
