package schedule_test

import (
	"strings"
	"testing"
	"time"

	"owlatsync/internal/schedule"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestNext has the times after a moment. Offsets in them show which of two equal times on the wall is meant.
func TestNext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, cron, zone string
		every            time.Duration
		after            string
		want             string
	}{
		{"every five minutes", "*/5 * * * *", "UTC", 0, "2026-03-01T12:03:10Z", "12:05 12:10 12:15"},
		{"a time itself is over", "0 12 * * *", "UTC", 0, "2026-03-01T12:00:00Z", "2T12:00"},
		{"days of the week", "30 6 * * mon-fri", "Europe/Berlin", 0, "2026-03-06T12:00:00Z", "9T06:30 10T06:30"},
		{"a word", "@daily", "Europe/Berlin", 0, "2026-03-06T12:00:00Z", "7T00:00 8T00:00"},
		{"29 February", "0 0 29 2 *", "UTC", 0, "2026-03-06T12:00:00Z", "2028-02-29T00:00 2032-02-29T00:00"},

		{"a skipped time comes at the leap", "30 2 * * *", "Europe/Berlin", 0, "2026-03-28T00:00:00Z", "28T02:30 29T03:00 30T02:30"},
		{"several skipped times come once", "*/10 2 * * *", "Europe/Berlin", 0, "2026-03-28T01:45:00Z", "28T02:50 29T03:00 30T02:00"},
		{"the hour after the leap", "0 3 * * *", "Europe/Berlin", 0, "2026-03-28T12:00:00Z", "29T03:00 30T03:00"},
		{"before and after a leap", "0 */2 * * *", "Europe/Berlin", 0, "2026-03-28T22:30:00Z", "29T00:00 29T03:00 29T04:00"},
		{"no hours, at a leap", "*/30 * * * *", "Europe/Berlin", 0, "2026-03-29T00:10:00Z", "29T01:30 29T03:00 29T03:30"},
		{"a leap at midnight", "0 0 * * *", "America/Santiago", 0, "2026-09-05T12:00:00Z", "6T01:00 7T00:00"},

		{"a time that comes twice", "30 2 * * *", "Europe/Berlin", 0, "2026-10-24T12:00:00Z", "25T02:30+02:00 26T02:30+01:00"},
		{"after the first of them", "30 2 * * *", "Europe/Berlin", 0, "2026-10-25T01:10:00Z", "26T02:30+01:00"},
		{"the hour after both", "0 3 * * *", "Europe/Berlin", 0, "2026-10-24T12:00:00Z", "25T03:00+01:00"},
		{"no hours, when the clock is put back", "*/30 * * * *", "Europe/Berlin", 0, "2026-10-25T00:10:00Z",
			"25T02:30+02:00 25T02:00+01:00 25T02:30+01:00 25T03:00+01:00"},
		{"half an hour is put back", "45 1 * * *", "Australia/Lord_Howe", 0, "2026-04-04T12:00:00Z", "5T01:45+11:00 6T01:45+10:30"},
		{"half an hour is skipped", "15 2 * * *", "Australia/Lord_Howe", 0, "2026-10-03T12:00:00Z", "4T02:30+11:00 5T02:15+11:00"},

		{"every", "", "UTC", 5 * time.Minute, "2026-03-01T12:03:10Z", "12:05 12:10"},
		{"every, at its time", "", "UTC", time.Hour, "2026-03-01T12:00:00Z", "13:00"},
		{"every, before 1970", "", "UTC", time.Hour, "1969-12-31T22:30:00Z", "23:00 1970-01-01T00:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			z := zone(t, test.zone)
			s, err := schedule.New("users", schedule.Spec{Cron: test.cron, Every: test.every, Zone: z})
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, test.after)
			if err != nil {
				t.Fatal(err)
			}
			for want := range strings.FieldsSeq(test.want) {
				at = s.Next(at)
				if got := at.In(z).Format("2006-01-02T15:04:05.999Z07:00"); !says(got, want) {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// says reports whether a time is the one that is written in short: "12:05", "9T06:30", with an offset or without.
func says(got, short string) bool {
	date, clock, dated := strings.Cut(short, "T")
	if !dated {
		date, clock = "", short
	}
	gotDate, gotClock, _ := strings.Cut(got, "T")
	if len(date) == 1 {
		date = "0" + date
	}
	return strings.HasSuffix(gotDate, date) && strings.HasPrefix(gotClock, clock[:5]+":00") && strings.HasSuffix(gotClock, clock[5:])
}

func TestJitterDependsOnTheNameOnly(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	delays := map[time.Duration]bool{}
	for _, name := range []string{"users", "leads", "people", "users"} {
		for _, spec := range []schedule.Spec{{Cron: "0 * * * *", Jitter: 10 * time.Minute}, {Every: time.Hour, Jitter: 10 * time.Minute}} {
			s, err := schedule.New(name, spec)
			if err != nil {
				t.Fatal(err)
			}
			due := s.Next(at.Add(30 * time.Minute))
			delay := due.Sub(at.Add(time.Hour))
			if delay < 0 || delay >= 10*time.Minute {
				t.Errorf("%s is due at %s", name, due)
			}
			if next := s.Next(due); next.Sub(due) != time.Hour {
				t.Errorf("%s is due again after %s", name, next.Sub(due))
			}
			if early := s.Next(due.Add(-time.Millisecond)); !early.Equal(due) {
				t.Errorf("%s is due at %s and at %s", name, due, early)
			}
			delays[delay] = true
		}
	}
	if len(delays) != 3 {
		t.Errorf("three names have the delays %v", delays)
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec schedule.Spec
		want string
	}{
		{schedule.Spec{}, "shorter than 1s"},
		{schedule.Spec{Every: time.Millisecond}, "shorter than 1s"},
		{schedule.Spec{Every: -time.Hour}, "shorter than 1s"},
		{schedule.Spec{Every: time.Hour, Cron: "* * * * *"}, "not both"},
		{schedule.Spec{Every: time.Hour, Jitter: -1}, "negative"},
		{schedule.Spec{Cron: " "}, "empty"},
		{schedule.Spec{Cron: "* * * *"}, "five fields"},
		{schedule.Spec{Cron: "* * * * * *"}, "five fields"},
		{schedule.Spec{Cron: "61 * * * *"}, "above maximum"},
		{schedule.Spec{Cron: "*/0 * * * *"}, "cannot be read"},
		{schedule.Spec{Cron: "a * * * *"}, "cannot be read"},
		{schedule.Spec{Cron: "0 0 30 2 *"}, "never comes"},
		{schedule.Spec{Cron: "@reboot"}, "cannot be read"},
		{schedule.Spec{Cron: "@every 5m"}, "every 5m"},
		{schedule.Spec{Cron: "TZ=0"}, "time_zone"},
		{schedule.Spec{Cron: "CRON_TZ=Europe/Berlin 0 6 * * *"}, "time_zone"},
	} {
		s, err := schedule.New("users", test.spec)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, %v; want an error with %q", test.spec, s, err, test.want)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		spec schedule.Spec
		want string
	}{
		{schedule.Spec{Every: 5 * time.Minute}, "every 5m"},
		{schedule.Spec{Every: 90 * time.Minute}, "every 1h30m"},
		{schedule.Spec{Every: 24 * time.Hour}, "every 24h"},
		{schedule.Spec{Every: 90 * time.Second}, "every 1m30s"},
		{schedule.Spec{Cron: "*/5  * * * *", Zone: zone(t, "Europe/Berlin")}, "*/5 * * * * Europe/Berlin"},
	} {
		s, err := schedule.New("users", test.spec)
		if err != nil || s.String() != test.want {
			t.Errorf("%v, %v; want %q", s, err, test.want)
		}
	}
}

// FuzzNext takes any expression: it is refused, or has times that grow.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{"* * * * *", "*/7 1-5,9 */3 jan-mar ?", "@weekly", "0 0 29 2 1", "TZ=0", "@every 1s", "1/0 * * * *"} {
		f.Add(seed, int64(1_790_000_000))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := schedule.New("users", schedule.Spec{Cron: text, Zone: berlin})
		if err != nil {
			return
		}
		at := time.Unix(unix%4_000_000_000, 0)
		for range 3 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%q: %s after %s", text, next, at)
			}
			at = next
		}
	})
}
