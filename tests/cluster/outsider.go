package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Outsider is somebody at a machine of their own who uses the key of a deployment by the program's commands, beside all services.
type Outsider struct {
	node *Node // without a service
	log  func(format string, args ...any)

	mu   sync.Mutex
	made map[string][]string // addresses whose contacts were confirmed, by deployment
}

// Work makes a contact now and then until ctx ends, for one deployment after the other.
func (o *Outsider) Work(ctx context.Context, deployments []string) {
	for n := 0; pause(ctx, 1500*time.Millisecond); n++ {
		name := deployments[n%len(deployments)]
		email := fmt.Sprintf("o%d@%s.example.com", n, orOnly(name))
		args := []string{"upsert", email, "--first-name", "Otto", "--last-name", "Out"}
		if name != single {
			args = append(args, "--deployment", name)
		}
		if _, err := o.node.Ask(args...); err != nil {
			o.log("an outsider: %v", err)
			continue
		}
		o.mu.Lock()
		o.made[name] = append(o.made[name], email)
		o.mu.Unlock()
	}
}

// confirmed returns the addresses whose contacts the program said to be there.
func (o *Outsider) confirmed(deployment string) []string {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.made[deployment])
}

// orOnly returns a name for a deployment that may have none.
func orOnly(deployment string) string {
	if deployment == single {
		return "only"
	}
	return deployment
}
