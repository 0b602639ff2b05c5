package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/owlat"
)

// NoKey has the form of a key but is none. It is for a client that sends nothing.
const NoKey Secret = "lm_live_00000000000000000000000000000000"

// unlessUnused calls read, which reads values. It reports their problems if they are used, and otherwise returns them.
func (d *decoder) unlessUnused(use Use, read func()) error {
	if d.use&use != 0 {
		read()
		return nil
	}
	own := problems{file: d.file}
	own, d.problems = d.problems, own
	read()
	own, d.problems = d.problems, own
	return own.err()
}

// owlatDecoder reads how to reach a deployment.
type owlatDecoder struct{ *decoder }

func (d owlatDecoder) owlat(s section) Owlat {
	o := Owlat{URL: owlat.DefaultBaseURL}
	_ = d.unlessUnused(UseURL, func() {
		if v := d.environmentOr(EnvURL, s, "url"); v.given {
			o.URL = strings.TrimSpace(v.text)
			if _, err := owlat.NewClient(o.URL, NoKey.Reveal()); err != nil {
				v.refuse(d.decoder, "%s", strings.TrimPrefix(err.Error(), "owlat: "))
			}
		}
	})
	o.NoKey = d.unlessUnused(UseKey, func() {
		if s.child("api_keys") != nil {
			d.keys(s, &o)
		} else {
			o.APIKey = d.key(s)
		}
		o.UnsubscribeSecret = d.secret(s.text("unsubscribe_secret"))
	})
	o.RequestsPerSecond = d.rate(s.text("requests_per_second"))
	o.PreferencesPerSecond = d.rate(s.text("preferences_per_second"))
	return o
}

// key reads the only API key.
func (d owlatDecoder) key(s section) Secret {
	v := d.environmentOr(EnvAPIKey, s, "api_key")
	advice := fmt.Sprintf("add the line \"api_key: ${%s}\" and set that variable, or only set it", EnvAPIKey)
	if d.decoder.several {
		advice = "each deployment has a key of its own, best as a variable of its own: \"api_key: ${ACME_API_KEY}\""
	}
	if !d.required(v, "%s", advice) {
		return ""
	}
	return d.wellFormed(v)
}

// wellFormed returns the API key that a value is.
func (d owlatDecoder) wellFormed(v value) Secret {
	key := Secret(strings.TrimSpace(v.text))
	if _, err := owlat.NewClient(owlat.DefaultBaseURL, key.Reveal()); err != nil {
		v.refuse(d.decoder, "%s", strings.TrimPrefix(err.Error(), "owlat: "))
	}
	return key
}

// keys reads the list of API keys, which counts whatever the environment has.
func (d owlatDecoder) keys(s section, o *Owlat) {
	n, path := s.child("api_keys"), setting(s.path, "api_keys")
	switch {
	case s.child("api_key") != nil:
		d.add(n.Line, path, "cannot stand beside \"api_key\": put that key into this list, too, and remove the line \"api_key\"")
		return
	case n.Kind != yamltree.List || len(n.Items) == 0:
		d.add(n.Line, path, "must be a list of keys, such as [\"${%s}\", \"${%s_2}\"]", EnvAPIKey, EnvAPIKey)
		return
	}
	var keys []Secret
	for i, item := range n.Items {
		v := d.scalar(item, itemOf(s.path, "api_keys", i), n.Line)
		if !v.given {
			keys = append(keys, "") // the others keep their places
			continue
		}
		key := d.wellFormed(v)
		if same := slices.Index(keys, key); same >= 0 {
			v.refuse(d.decoder, "is the same key as %s: each key has one budget, so name it once, or make another one in Owlat's settings", itemOf(s.path, "api_keys", same))
		}
		keys = append(keys, key)
	}
	o.APIKey, o.MoreKeys = keys[0], keys[1:]
	var more []owlat.Option
	for _, key := range o.MoreKeys {
		more = append(more, owlat.WithMoreKeys(key.Reveal()))
	}
	if _, err := owlat.NewClient(o.URL, NoKey.Reveal(), more...); errors.Is(err, owlat.ErrHosted) {
		d.add(n.Line, path, "%s", strings.TrimPrefix(err.Error(), "owlat: "))
	}
}

// rate reads a number of requests a second, 0 if none is given.
func (d owlatDecoder) rate(v value) float64 {
	if !v.given {
		return 0
	}
	rate, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.IsNaN(rate) || rate <= 0 || math.IsInf(rate, 0) {
		v.refuse(d.decoder, "must be a number above 0, such as 5 or 0.5")
	}
	return rate
}

// secret reads the unsubscribe secret. Errors do not repeat it.
func (d owlatDecoder) secret(v value) Secret {
	text := strings.TrimSpace(v.text)
	what := ""
	if _, err := owlat.NewClient(owlat.DefaultBaseURL, text); err == nil {
		what = "an API key"
	} else if strings.HasPrefix(text, "whsec_") {
		what = "the secret of a webhook"
	}
	if what != "" {
		v.refuse(d.decoder, "holds %s; the unsubscribe secret is what the deployment itself has as its variable %s", what, EnvSecret)
	}
	return Secret(text)
}

// environmentOr returns the environment's variable if it is not empty, else the file's value. Of several deployments each has only
// its own values.
func (d *decoder) environmentOr(name string, s section, key string) value {
	if d.several {
		return s.text(key)
	}
	if text, ok := d.lookup(name); ok && strings.TrimSpace(text) != "" {
		return value{text: text, setting: "environment variable " + name, given: true}
	}
	return s.text(key)
}
