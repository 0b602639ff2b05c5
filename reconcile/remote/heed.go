package remote

import "context"

// Heed makes free end a context with why when stop is closed, until end is called. A nil stop is never closed.
func Heed(stop <-chan struct{}, free context.CancelCauseFunc, why error) (end func()) {
	over, heard := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(heard)
		select {
		case <-stop:
			free(why)
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-heard
	}
}
