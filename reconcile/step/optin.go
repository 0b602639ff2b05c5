package step

import (
	"fmt"
	"time"

	"owlatsync/ledger"
)

// MostLooks is how many contacts a run looks at, after an add, for whether Owlat was waiting for a confirmation before.
const MostLooks = 1000

// ReasonUnconfirmed is the reason of a row whose person consents again, now, while Owlat waits for their confirmation since an earlier
// time; zero: since before the sync met them. Owlat sends no second mail then, and does not say whether the person has opted out of
// everything.
func ReasonUnconfirmed(topic string, since, now time.Time) string {
	if since.IsZero() {
		return fmt.Sprintf("the contact was put on topic %s, but waits for a confirmation: Owlat was waiting for it before the sync met them, and "+
			"sent no mail now; the person can follow the link of the earlier mail within 7 days of it, unless they have opted out of everything; "+
			"else only they can end that, on the preference page that Owlat's mails link to, or somebody in Owlat's dashboard", topic)
	}
	until := since.Add(ledger.ConfirmWithin)
	can := fmt.Sprintf("the person can follow its link until %s, unless they have opted out of everything; else", stamp(until))
	if now.After(until) {
		can = fmt.Sprintf("its link was valid until %s;", stamp(until))
	}
	return fmt.Sprintf("the contact was put on topic %s, but waits for a confirmation: Owlat sends no second mail after that of %s; %s "+
		"only the person can end that, on the preference page that Owlat's mails link to, or somebody in Owlat's dashboard", topic, stamp(since), can)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
