package routes

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/js"
	"owlatsync/owlat/owlattest/internal/model"
)

// authenticate finds the key an Authorization header names, or returns the answer that refuses it.
func authenticate(d *model.Deployment, header string) (*model.Key, *answer.Answer) {
	header = strings.Trim(header, " \t")
	words := strings.Split(header, " ")
	value := words[0]
	switch {
	case header == "", len(words) > 2, len(words) == 2 && !strings.EqualFold(words[0], "bearer"):
		return nil, answer.Fail(answer.Unauthenticated, "Missing or invalid Authorization header. Use: Authorization: Bearer <api_key>")
	case len(words) == 2:
		value = words[1]
	}
	if !model.ValidKey(value) {
		return nil, answer.Fail(answer.Unauthenticated, "Invalid API key format")
	}
	k := d.Keys[value]
	if k == nil || !k.Works() {
		return nil, answer.Fail(answer.Unauthenticated, "Invalid API key")
	}
	return k, nil
}

// KeyOf returns the value of the key that an Authorization header names; empty for none that works.
func KeyOf(d *model.Deployment, header string) string {
	k, refused := authenticate(d, header)
	if refused != nil {
		return ""
	}
	return k.Value
}

// TooMany answers as an empty bucket does.
func TooMany(limit model.Limit, now time.Time) *answer.Answer {
	a := answer.Fail(answer.RateLimited, "Rate limit exceeded. Maximum "+js.FormatNumber(limit.Rate)+" requests per second.")
	setLimits(a, limit, now)
	return a
}

// setLimits sets the rate-limit headers of an authenticated answer. Remaining tells nothing of the bucket, as in Owlat.
func setLimits(a *answer.Answer, limit model.Limit, now time.Time) {
	rate := int(math.Ceil(limit.Rate))
	remaining := max(0, rate-1)
	if a.Status == http.StatusTooManyRequests {
		remaining = 0
		a.Set("Retry-After", "1")
	}
	a.Set("X-Ratelimit-Limit", strconv.Itoa(rate))
	a.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	a.Set("X-Ratelimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(now.UnixMilli()+1000)/1000)), 10))
}
