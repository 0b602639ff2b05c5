package figures

import (
	"time"

	"owlatsync/internal/page/chart"
)

// Window is how far plots look back.
type Window string

const (
	Day     Window = "24h" // in slots of half an hour
	Week    Window = "7d"  // in slots of three hours
	Quarter Window = "90d" // in slots of a day
)

// Windows lists all windows, the shortest first.
var Windows = []Window{Day, Week, Quarter}

// known returns the window, or the shortest for one that there is not.
func (w Window) known() Window {
	switch w {
	case Week, Quarter:
		return w
	}
	return Day
}

// Words says the window in words.
func (w Window) Words() string {
	switch w.known() {
	case Week:
		return "7 days"
	case Quarter:
		return "90 days"
	}
	return "24 hours"
}

// step says how long a slot of the window is.
func (w Window) step() string {
	switch w.known() {
	case Week:
		return "3 hours"
	case Quarter:
		return "a day"
	}
	return "half an hour"
}

// Since returns when the first slot of the window begins: runs that end before it are in no plot.
func (w Window) Since(now time.Time) time.Time { return w.edges(now)[0] }

// edges returns the beginnings of the slots in the zone of now, and at last the end of the one that now is in. Slots begin at the hours
// of that zone's clock, so that some are an hour longer or shorter when it is set.
func (w Window) edges(now time.Time) []time.Time {
	year, month, day := now.Date()
	at := func(n int) time.Time { return time.Date(year, month, day+n, 0, 0, 0, 0, now.Location()) }
	count := 90
	switch w.known() {
	case Day:
		count = 48
		_, offset := now.Zone()
		ahead := time.Duration(offset) * time.Second
		last := now.Add(ahead).Truncate(30 * time.Minute).Add(-ahead)
		at = func(n int) time.Time { return last.Add(time.Duration(n) * 30 * time.Minute) }
	case Week:
		count = 56
		hour := now.Hour() / 3 * 3
		at = func(n int) time.Time { return time.Date(year, month, day, hour+3*n, 0, 0, 0, now.Location()) }
	}
	edges := make([]time.Time, count+1)
	for i := range edges {
		edges[i] = at(i - count + 1)
	}
	return edges
}

// slots returns the slots between the edges and the labels below them.
func (w Window) slots(edges []time.Time) (slots []chart.Slot, ticks []chart.Tick) {
	form, below := "2 Jan 15:04", "2 Jan"
	marked := func(t time.Time) bool { return t.Hour() == 0 }
	switch w.known() {
	case Day:
		below = "15:04"
		marked = func(t time.Time) bool { return t.Hour()%4 == 0 && t.Minute() < 30 }
	case Quarter:
		form = "2 Jan"
		marked = func(t time.Time) bool { return t.Day() == 1 || t.Day() == 15 }
	}
	for i, from := range edges[:len(edges)-1] {
		slots = append(slots, chart.Slot{From: from, Label: from.Format(form), Day: w.known() == Quarter})
		if marked(from) {
			ticks = append(ticks, chart.Tick{Slot: i, Label: from.Format(below)})
		}
	}
	return slots, ticks
}
