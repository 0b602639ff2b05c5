package chart

import (
	"math"
	"slices"
)

// intervals is how many there are between the ticks of an axis, at most.
const intervals = 4

// roundSeconds are the steps at which a duration is easy to read, up to a day.
var roundSeconds = []float64{1, 2, 5, 10, 15, 30, 60, 2 * 60, 5 * 60, 10 * 60, 15 * 60, 30 * 60, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600}

// scale returns the ticks of an axis: round values, from 0 to one that is at least the highest.
func scale(m Measure, highest float64) []float64 {
	if highest <= 0 {
		highest = 1
	}
	step := roundStep(m, highest/intervals)
	ticks := []float64{0}
	for i := 1; ticks[len(ticks)-1] < highest; i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return ticks
}

// roundStep returns the smallest round step of at least this size.
func roundStep(m Measure, least float64) float64 {
	switch {
	case m == Count:
		least = max(least, 1)
	case m == Seconds && least > roundSeconds[0]:
		if i, _ := slices.BinarySearch(roundSeconds, least); i < len(roundSeconds) {
			return roundSeconds[i]
		}
		day := roundSeconds[len(roundSeconds)-1]
		return day * roundStep(Count, least/day)
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, leading := range []float64{1, 2, 5} {
		if leading*power >= least {
			return leading * power
		}
	}
	return 10 * power
}
