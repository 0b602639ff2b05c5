// Package span reads how long something takes, as people write it.
package span

import (
	"regexp"
	"strconv"
	"time"
)

var days = regexp.MustCompile(`^([0-9]{1,4})d$`)

// Parse reads a duration above 0, also as a number of days.
func Parse(text string) (time.Duration, error) {
	if found := days.FindStringSubmatch(text); found != nil {
		text = found[1] + "h"
		span, err := time.ParseDuration(text)
		return positive(24*span, err)
	}
	return positive(time.ParseDuration(text))
}

func positive(span time.Duration, err error) (time.Duration, error) {
	if err == nil && span <= 0 {
		err = strconv.ErrRange
	}
	return span, err
}
