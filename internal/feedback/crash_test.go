//go:build unix

package feedback_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"owlatsync/internal/feedback"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

// receiverOf is the variable that makes the test's program a receiver before the ledger in the file.
const receiverOf = "OWLATSYNC_TEST_RECEIVER_OF"

func TestMain(m *testing.M) {
	if file := os.Getenv(receiverOf); file != "" {
		receive(file)
		return
	}
	goleak.VerifyTestMain(m)
}

// receive prints its address and receives until it is killed.
func receive(file string) {
	l, err := sqlite.Open(context.Background(), "sqlite", file)
	if err != nil {
		panic(err)
	}
	r, err := feedback.NewReceiver(l, feedback.Options{Secrets: []string{secret}, Routes: routes})
	if err != nil {
		panic(err)
	}
	fmt.Println(httptest.NewServer(r).URL)
	select {}
}

// start starts a receiver as a process of its own and returns its address.
func start(t *testing.T, file string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), receiverOf+"="+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// Whatever was acknowledged is in the ledger, although the process is killed while deliveries come; and all are there once Owlat has sent
// again what was not acknowledged, each once.
func TestKilledWhileReceiving(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.db")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}}
	defer client.CloseIdleConnections()
	const people = 600
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	// send delivers what is not acknowledged yet, and tells after how many answers.
	send := func(url string, told func(answers int)) {
		open := make(chan string, people)
		for i := range people {
			if person := fmt.Sprintf("person%d@example.com", i); !acknowledged[person] {
				open <- person
			}
		}
		close(open)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for person := range open {
					body := fmt.Sprintf(`{"event":"email.complained","timestamp":"2026-11-23T07:43:07.041Z","data":{"email":%q}}`, person)
					r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					r.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), []byte(body))
					answer, err := client.Do(r)
					if err != nil {
						continue // the receiver was killed
					}
					answer.Body.Close()
					mu.Lock()
					if answer.StatusCode == 204 {
						acknowledged[person] = true
					}
					told(len(acknowledged))
					mu.Unlock()
				}
			})
		}
		all.Wait()
	}
	for _, after := range []int{1, 100, 350} {
		url, kill := start(t, file)
		send(url, func(answers int) {
			if answers >= after {
				kill()
			}
		})
		kill()
		recorded(t, file, acknowledged)
	}
	url, kill := start(t, file)
	send(url, func(int) {})
	kill()
	if all := recorded(t, file, acknowledged); len(acknowledged) != people || all != people {
		t.Errorf("%d acknowledged, %d in the ledger", len(acknowledged), all)
	}
}

// recorded checks that the ledger has everything that was acknowledged, whole, and returns how many it has.
func recorded(t *testing.T, file string, acknowledged map[string]bool) int {
	t.Helper()
	l, err := sqlite.Open(t.Context(), "sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Feedbacks(t.Context(), "", "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, f := range all {
		there[f.Email]++
	}
	for person := range acknowledged {
		if there[person] != 1 {
			t.Fatalf("somebody whose complaint was acknowledged is in the ledger %d times", there[person])
		}
	}
	suppressed, err := l.AllSuppressions(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := l.DeliveryCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := counts["away"]["waiting"]; len(suppressed) != len(all) || n != len(all) || len(there) != len(all) {
		t.Fatalf("%d webhooks, %d suppressions, %d deliveries", len(all), len(suppressed), n)
	}
	return len(all)
}
