package owlat_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// busy lets the client list contacts for so long, with always enough to do.
func busy(t *testing.T, client *owlat.Client, d time.Duration) {
	t.Helper()
	// Without a deadline, for which the limiter would not even wait.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(d, cancel)
	pool := client.NewPool(0)
	for ctx.Err() == nil {
		pool.Go(ctx, func(ctx context.Context, client *owlat.Client) {
			_, _ = client.Contacts.List(ctx, owlat.ListContactsRequest{})
		})
	}
	pool.Wait()
}

func TestTheServersLimitIsUsed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		server *owlattest.Server
		opts   []owlat.Option
		want   int // passed in ten seconds, 1 % more or less
		busy   int // refused at most
	}{
		{"Owlat's", &owlattest.Server{}, nil, 108, 0},
		{"higher", &owlattest.Server{Rate: 50, Burst: 75}, nil, 506, 0},
		{"higher, with a small bucket", &owlattest.Server{Rate: 50, Burst: 15}, nil, 506, 0},
		{"much higher", &owlattest.Server{Rate: 5000, Burst: 5000}, nil, 50000, 0},
		{"lower", &owlattest.Server{Rate: 4, Burst: 6}, nil, 45, 0},
		{"very low", &owlattest.Server{Rate: 1, Burst: 1}, nil, 9, 3},
		{"the caller's is lower", &owlattest.Server{Rate: 50, Burst: 75}, []owlat.Option{owlat.WithRate(20, 10)}, 210, 0},
		{"the caller's is higher", &owlattest.Server{}, []owlat.Option{owlat.WithRate(20, 10)}, 110, 3},
		{"there is none and the caller has one", &owlattest.Server{NoLimit: true}, []owlat.Option{owlat.WithRate(200, 10)}, 2010, 0},
		{"there is none and nobody has one", &owlattest.Server{NoLimit: true}, nil, 108, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := c.server
				s.BasePath = basePath
				d := &deployment{Server: s}
				d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * ms})
				busy(t, connect(t, s.AddKey(), s.Transport(), c.opts...), 10*time.Second)
				stats := s.Stats()
				passed := stats.Count("", "", http.StatusOK)
				if slack := max(1, c.want/100); passed < c.want-slack || passed > c.want+slack {
					t.Errorf("%d requests passed, want %d ± %d", passed, c.want, slack)
				}
				if stats.RateLimited > c.busy {
					t.Errorf("%d were refused, want at most %d", stats.RateLimited, c.busy)
				}
			})
		})
	}
}

func TestWithoutLimiterNothingIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * ms})
		busy(t, d.client, 1005*ms) // it ends between two answers, not beside one
		if n := d.Stats().Count("", "", http.StatusOK); n != 128*100 {
			t.Errorf("%d requests in a second, want 128 every 10 ms", n)
		}
	})
}

func TestFirstRequestsWaitForAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 2 * time.Second})
		busy(t, d.client, 2050*ms)
		early, all := 0, d.Stats().Log
		for _, a := range all {
			if a.Time.Sub(d.Stats().Since) < 2*time.Second {
				early++
			}
		}
		if early != 3 || len(all) != 11 { // three, and with their answers what has been saved
			t.Errorf("%d requests before the first answer and %d in all, want 3 and 11", early, len(all))
		}
	})
}

// TestNoStampedeAfterAnOutage counts, after ten seconds of trouble, what comes in any second and what waits for answers.
func TestNoStampedeAfterAnOutage(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]owlattest.Fault{
		"503s":     {Kind: owlattest.StatusError},
		"timeouts": {Kind: owlattest.Latency, Delay: time.Hour},
		"resets":   {Kind: owlattest.ResetBefore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := limited(t, owlat.WithTimeout(3*time.Second))
				begin := time.Now()
				time.AfterFunc(10*time.Second, func() { d.inject(t, trouble) })
				time.AfterFunc(20*time.Second, d.ClearFaults)
				busy(t, d.client, 40*time.Second)
				log := d.Stats().Log
				first, during, after := 0, 0, 0
				for i, a := range log {
					switch at := a.Time.Sub(begin); {
					case at < 10*time.Second:
						first++
					case at < 20*time.Second:
						during++
					default:
						after++
						// Ten, one that is always free to go, and one that was late.
						if i >= 12 && a.Time.Sub(log[i-12].Time) < time.Second && log[i-12].Time.Sub(begin) >= 20*time.Second {
							t.Fatalf("13 requests within a second, %v after the trouble", at-20*time.Second)
						}
					}
				}
				least := 180
				if name == "timeouts" {
					least = 170 // until a probe is answered
				}
				if first < 105 || during > 100 || after < least || d.Stats().RateLimited > 0 {
					t.Errorf("%d requests before, %d during and %d after the trouble, %d refused", first, during, after, d.Stats().RateLimited)
				}
			})
		})
	}
}

// TestTwoClientsShareTheBudget lets two limiters that know nothing of each other use one key.
func TestTwoClientsShareTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * ms, Jitter: 20 * ms})
		key := d.AddKey()
		done := make(chan struct{})
		var passed [2]atomic.Int32
		for i := range 2 {
			client := connect(t, key, d.Transport(), owlat.WithObserver(func(a owlat.Attempt) {
				if a.Err == nil {
					passed[i].Add(1)
				}
			}))
			go func() {
				busy(t, client, 2*time.Minute)
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		one, other := passed[0].Load(), passed[1].Load()
		if sum := one + other; sum < 1080 || min(one, other) < sum/10 {
			t.Errorf("%d and %d of 1215 requests passed", one, other)
		}
		if n := d.Stats().RateLimited; n > 60 {
			t.Errorf("%d were refused", n)
		}
	})
}

func BenchmarkLimiter(b *testing.B) {
	l := owlat.NewLimiter(1e9, 1<<30)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Wait(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
