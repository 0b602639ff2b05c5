package page

import (
	"net/http"
	"strings"

	"owlatsync/internal/words"
)

// help says how to go on where something is not there yet: steps, each with what is typed or written.
type help struct {
	Title string
	Steps []helpStep
}

// helpStep is one step. Lines are for a file, and Command for a terminal; either may be empty.
type helpStep struct{ Do, Lines, Command, Then string }

const (
	serviceReads = "kill -HUP \"$(pidof owlat-sync)\""
	syncLines    = `syncs:
  users:
    source: {dsn: "postgres://app@db.example/app", query: "SELECT id, email FROM users"}
    key: id
    fields: {email: email}
    schedule: every 15m`
)

// showNoDeployment shows how a service without any deployment gets its first one.
func showNoDeployment(c *call) error {
	c.show(http.StatusOK, "setup", "Set up", help{Title: "No deployment yet", Steps: []helpStep{
		{Do: "Write the first deployment into the configuration of the service, or into a file of the folder that it names:",
			Lines: "deployments:\n  acme:\n    owlat: {url: \"https://acme.convex.site\", api_key: \"${ACME_API_KEY}\"}\n    " + strings.ReplaceAll(syncLines, "\n", "\n    ")},
		{Do: "See whether the source, Owlat and the records of owlat-sync (the ledger) can be reached:", Command: c.typed().Command("check --deployment acme", "")},
		{Do: "Let the service read its configuration again:", Command: serviceReads, Then: "The deployment will stand here."},
	}})
	return nil
}

// noSync says how a deployment gets its first sync.
func noSync(typed words.Typed) *help {
	return &help{Title: "No sync yet", Steps: []helpStep{
		{Do: "Let owlat-sync look at your database, and propose a configuration:", Command: "owlat-sync init \"postgres://app@db.example/app\"", Then: "Or write a sync yourself:"},
		{Do: "A sync in the configuration looks like this:", Lines: syncLines},
		{Do: "See whether the source, Owlat and the records of owlat-sync (the ledger) can be reached:", Command: typed.Command("check", "")},
		{Do: "Let the service read its configuration again:", Command: serviceReads, Then: "The sync will stand here."},
	}}
}

// neverRun says how a sync has its first run. Presses says that whoever looks may press the buttons of its page.
func neverRun(typed words.Typed, sync string, scheduled, presses bool) *help {
	who := "Let an operator press"
	if presses {
		who = "Press"
	}
	h := &help{Title: "How it begins", Steps: []helpStep{
		{Do: who + " “Plan now” above, to see what the first run would do. Nothing is sent until somebody approves it. At the command line:", Command: typed.Command("plan", straight(sync))},
		{Do: who + " “Run now” above, to let it run. Unless the configuration says otherwise, a first run is held with its numbers until somebody approves it. At the command line:",
			Command: typed.Command("run", straight(sync))},
	}}
	if !scheduled {
		h.Steps = append(h.Steps, helpStep{Do: "So that it runs by itself from then on, give it a schedule in the configuration, and let the service read that again:", Lines: "    schedule: every 15m", Command: serviceReads})
	}
	return h
}
