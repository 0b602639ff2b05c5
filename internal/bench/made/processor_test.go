package made

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestProcessorTime(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells it in /proc")
	}
	me := os.Getpid()
	for began := time.Now(); ProcessorTime(me) == 0; {
		if time.Since(began) > time.Minute {
			t.Fatal("a program that computes for a minute has had no processor")
		}
	}
	mine := ProcessorTime(me)
	if family := FamilyTime(me); family < mine {
		t.Errorf("the program has had %s, it and all the children of its parent %s", mine, family)
	}
	if none := ProcessorTime(-1); none != 0 {
		t.Errorf("a process that is not there has had %s", none)
	}
}
