package feedback_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/feedback"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

// On a full disk Owlat is not told that anything was recorded, and what it sends again is recorded once there is room.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	l, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := feedback.NewReceiver(l, feedback.Options{Secrets: []string{secret}, Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(i int) int {
		body := fmt.Sprintf(`{"event":"email.bounced","timestamp":"2026-11-23T07:43:07.041Z","data":{"email":"person%d@example.com","bounceType":"hard","message":"%s"}}`, i, strings.Repeat("x", 900))
		request := httptest.NewRequest("POST", "/webhooks/owlat", strings.NewReader(body))
		request.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), []byte(body))
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, request)
		return answer.Code
	}
	if status := deliver(1000); status != 204 {
		t.Fatalf("at first: %d", status)
	}
	ballast := filepath.Join(folder, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := bytes.Repeat([]byte("x"), 16<<10); err == nil; { // until the disk is full
		_, err = file.Write(block)
	}
	file.Close()
	statuses := map[int]int{}
	for i := range 200 {
		statuses[deliver(i)]++
	}
	if statuses[500] == 0 || statuses[204]+statuses[500] != 200 {
		t.Errorf("on a full disk: %v", statuses)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if status := deliver(i); status != 204 {
			t.Fatalf("with room again: %d", status)
		}
	}
	all, err := l.Feedbacks(t.Context(), "", "", 0, 0)
	if err != nil || len(all) != 201 {
		t.Errorf("%d recorded, %v; %d were acknowledged on the full disk", len(all), err, statuses[204])
	}
}
