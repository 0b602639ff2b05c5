package main

import (
	"fmt"
	"strings"
	"time"
)

// page writes the results as a page of Markdown.
func page(results []scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# owlat-sync beside the documented script

Owlat's documentation shows a script: for every user create the contact, on a conflict update it, five at a time; then add
everybody to a topic at once. Here it is, rewritten in Go over the same SDK ([internal/baseline](../../internal/baseline)),
beside a run of owlat-sync's engine. Both ran at the same time, each against an emulator of its own with Owlat's real limits
(10 requests a second, bursts of 15) and %v latency. Requests are counted at the emulator. `+"`make bench`"+` makes this page.

Between the first and the second run %d people opted out of everything.

| run | users | | requests | of them refused (429) | seconds | contacts right | on the topic | opted out and put back |
|---|---|---|---|---|---|---|---|---|
`, latency, optOuts)
	for i, r := range results {
		wanted := r.Users
		if i > 0 {
			wanted -= optOuts
		}
		for _, side := range []struct {
			name string
			figures
		}{{"documented script", r.Script}, {"owlat-sync", r.Synced}} {
			fmt.Fprintf(&b, "| %s | %d | %s | %d | %d | %.1f | %d of %d | %d of %d | %d |\n", r.Name, r.Users, side.name,
				side.Requests, side.RateLimited, side.Seconds, side.Contacts, r.Users, side.Members, wanted, side.PutBack)
		}
	}
	fmt.Fprintf(&b, "\n![Requests per run](requests.svg)\n\nMeasured on %s.\n", time.Now().UTC().Format("2006-01-02"))
	return b.String()
}

// plot draws the requests of each run as bars.
func plot(results []scenario) string {
	const left, width, bar, gap = 230, 420, 16, 14
	most := 1
	for _, r := range results {
		most = max(most, r.Script.Requests, r.Synced.Requests)
	}
	var b strings.Builder
	height := 40 + len(results)*(2*bar+gap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", left+width+70, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" font-weight="bold">Requests sent for %d users</text>`+"\n", results[0].Users)
	fmt.Fprint(&b, `<rect x="330" y="10" width="12" height="12" fill="#c2410c"/><text x="346" y="20">documented script</text>`+"\n")
	fmt.Fprint(&b, `<rect x="470" y="10" width="12" height="12" fill="#0f766e"/><text x="486" y="20">owlat-sync</text>`+"\n")
	y := 40
	for _, r := range results {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-10, y+bar+4, r.Name)
		for _, side := range []struct {
			n      int
			colour string
		}{{r.Script.Requests, "#c2410c"}, {r.Synced.Requests, "#0f766e"}} {
			w := max(1, side.n*width/most)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/><text x="%d" y="%d">%d</text>`+"\n",
				left, y, w, bar-2, side.colour, left+w+6, y+bar-4, side.n)
			y += bar
		}
		y += gap
	}
	b.WriteString("</svg>\n")
	return b.String()
}
