// Package bubble lets fake time pass in a program that is no test.
package bubble

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// host is the test that every bubble needs as its parent. Package testing makes one only while it runs tests, so this one
// never ends.
var host = sync.OnceValue(func() *testing.T {
	found := make(chan *testing.T)
	never := make(chan struct{})
	body := func(t *testing.T) { found <- t; <-never }
	go testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bench", F: body}}, nil, nil)
	return <-found
})

// Run runs f in a testing/synctest bubble, in which time passes only while all wait: sockets must not be used there.
// Everything that f uses must be made within it, and its goroutines must have ended when it returns. Its context ends
// when ctx does. The name is for the error.
func Run(ctx context.Context, name string, f func(context.Context) error) error {
	var err error
	ended := make(chan struct{})
	// On a goroutine of its own, because package testing ends the one on which a bubble fails.
	go func() {
		defer close(ended)
		err = fmt.Errorf("%s: the fake time broke off", name)
		synctest.Test(host(), func(t *testing.T) {
			inner, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { // a context of outside would keep fake time from passing if it were waited for
				for {
					select {
					case <-done:
						return
					case <-time.After(time.Second):
						if ctx.Err() != nil {
							cancel()
						}
					}
				}
			}()
			defer cancel()
			defer close(done)
			if err = f(inner); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		})
	}()
	<-ended
	return err
}
