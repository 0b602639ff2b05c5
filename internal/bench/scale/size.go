package scale

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Variable names the environment variable that changes sizes, such as "contacts=1000 busy=2m".
const Variable = "OWLATSYNC_BENCH_SCALE"

// fromEnvironment returns the size with what the environment changes of it.
func (s Size) fromEnvironment() (Size, error) {
	numbers := map[string]*int{"deployments": &s.Deployments, "contacts": &s.Contacts, "syncs": &s.Syncs, "each": &s.Each, "nodes": &s.Nodes}
	spans := map[string]*time.Duration{"every": &s.Every, "calm": &s.Calm, "busy": &s.Busy, "settle": &s.Settle}
	for _, word := range strings.Fields(os.Getenv(Variable)) {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch {
		case numbers[name] != nil:
			if *numbers[name], err = strconv.Atoi(value); err == nil && *numbers[name] < 1 {
				err = fmt.Errorf("%d is below 1", *numbers[name])
			}
		case spans[name] != nil:
			if *spans[name], err = time.ParseDuration(value); err == nil && *spans[name] < time.Second {
				err = fmt.Errorf("%s is below a second", *spans[name])
			}
		default:
			err = fmt.Errorf("there is no size %q", name)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %q: %w", Variable, word, err)
		}
	}
	return s, nil
}
