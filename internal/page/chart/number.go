package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// thin separates numbers from their units; no line is broken there.
const thin = "\u00a0"

// Number writes a whole number for a page, in groups of three digits.
func Number(n int64) string { return humanize.Comma(n) }

// figure writes a value with its unit, except for the noun of Count.
func (m Measure) figure(v float64) string {
	switch m {
	case Seconds:
		return duration(v)
	case Percent:
		return threeDigits(v) + thin + "%"
	}
	return Number(int64(math.Round(v)))
}

// figure writes a value with its unit.
func (p Plot) figure(v float64) string {
	if p.Measure == Count && p.Noun != "" {
		return Count.figure(v) + " " + shown(p.Noun)
	}
	return p.Measure.figure(v)
}

// threeDigits writes a number with three digits that count, or all before its point.
func threeDigits(v float64) string {
	if v >= 1000 {
		return Number(int64(math.Round(v)))
	}
	places := 0
	for limit := 100.0; v > 0 && v < limit && places < 4; limit /= 10 {
		places++
	}
	text := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// duration writes seconds in two units at most.
func duration(seconds float64) string {
	if seconds < 60 {
		if text := threeDigits(seconds); text != "60" { // else rounding made it a minute
			return text + thin + "s"
		}
	}
	s := int64(math.Round(seconds))
	for _, unit := range []struct {
		seconds, less int64
		name, below   string
	}{{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}} {
		if s < unit.seconds {
			continue
		}
		whole, rest := s/unit.seconds, (s%unit.seconds+unit.less/2)/unit.less
		if rest*unit.less == unit.seconds {
			whole, rest = whole+1, 0
		}
		text := Number(whole) + thin + unit.name
		if rest > 0 {
			text += fmt.Sprintf("%s%d%s%s", thin, rest, thin, unit.below)
		}
		return text
	}
	return strconv.FormatInt(s, 10) + thin + "s"
}
