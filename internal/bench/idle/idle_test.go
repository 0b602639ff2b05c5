//go:build linux

package idle

import (
	"os"
	"testing"
	"time"
)

// TestLooksAtAProcess looks at this one.
func TestLooksAtAProcess(t *testing.T) {
	t.Parallel()
	all, own, err := memory(os.Getpid())
	if err != nil || all < 1<<20 || own <= 0 || own > all {
		t.Errorf("memory %d and %d, %v", all, own, err)
	}
	before, err := processor(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for n, began := 0, time.Now(); time.Since(began) < 300*time.Millisecond; n++ {
		_ = n * n
	}
	if after, err := processor(os.Getpid()); err != nil || after <= before || after > before+time.Minute {
		t.Errorf("the processor was used for %s and then %s, %v", before, after, err)
	}
	if _, _, err := memory(1 << 30); err == nil {
		t.Error("a process that is not there has memory")
	}
}
