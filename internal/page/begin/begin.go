// Package begin says how to go on where something is not there yet: a deployment, a sync, or a first run.
package begin

import (
	"strings"

	"owlatsync/internal/page/telling"
	"owlatsync/internal/words"
)

// Help is what to do, step by step.
type Help struct {
	Title string
	Steps []Step
}

// Step is one step, with what is typed or written. Lines are for a file, and Command for a terminal; either may be empty.
type Step struct{ Do, Lines, Command, Then string }

const (
	serviceReads = "kill -HUP \"$(pidof owlat-sync)\""
	syncLines    = `syncs:
  users:
    source: {dsn: "postgres://app@db.example/app", query: "SELECT id, email FROM users"}
    key: id
    fields: {email: email}
    schedule: every 15m`
)

// NoDeployment says how a service without any deployment gets its first one.
func NoDeployment(typed words.Typed) Help {
	return Help{Title: "No deployment yet", Steps: []Step{
		{Do: "Write the first deployment into the configuration of the service, or into a file of the folder that it names:",
			Lines: "deployments:\n  acme:\n    owlat: {url: \"https://acme.convex.site\", api_key: \"${ACME_API_KEY}\"}\n    " + strings.ReplaceAll(syncLines, "\n", "\n    ")},
		{Do: "See whether the source, Owlat and the records of owlat-sync (the ledger) can be reached:", Command: typed.Command("check --deployment acme", "")},
		{Do: "Let the service read its configuration again:", Command: serviceReads, Then: "The deployment will stand here."},
	}}
}

// NoSync says how a deployment gets its first sync.
func NoSync(typed words.Typed) *Help {
	return &Help{Title: "No sync yet", Steps: []Step{
		{Do: "Let owlat-sync look at your database, and propose a configuration:", Command: "owlat-sync init \"postgres://app@db.example/app\"", Then: "Or write a sync yourself:"},
		{Do: "A sync in the configuration looks like this:", Lines: syncLines},
		{Do: "See whether the source, Owlat and the records of owlat-sync (the ledger) can be reached:", Command: typed.Command("check", "")},
		{Do: "Let the service read its configuration again:", Command: serviceReads, Then: "The sync will stand here."},
	}}
}

// NeverRun says how a sync has its first run. Presses says that whoever looks may press the buttons of its page.
func NeverRun(typed words.Typed, sync string, scheduled, presses bool) *Help {
	who := "Let an operator press"
	if presses {
		who = "Press"
	}
	h := &Help{Title: "How it begins", Steps: []Step{
		{Do: who + " “Plan now” above, to see what the first run would do. Nothing is sent until somebody approves it. At the command line:", Command: typed.Command("plan", telling.Straight(sync))},
		{Do: who + " “Run now” above, to let it run. Unless the configuration says otherwise, a first run is held with its numbers until somebody approves it. At the command line:",
			Command: typed.Command("run", telling.Straight(sync))},
	}}
	if !scheduled {
		h.Steps = append(h.Steps, Step{Do: "So that it runs by itself from then on, give it a schedule in the configuration, and let the service read that again:", Lines: "    schedule: every 15m", Command: serviceReads})
	}
	return h
}
