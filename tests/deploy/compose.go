package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

// compose loads a compose file as Docker Compose does, with the variables of the sample of its environment.
func compose(ctx context.Context, file string) (string, error) {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithEnvFiles(filepath.Join(filepath.Dir(file), ".env.example")), cli.WithDotEnv)
	if err != nil {
		return "", err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return "", err
	}
	var faults []error
	for name, service := range project.Services {
		if service.Privileged || !service.ReadOnly || !slices.Contains(service.CapDrop, "ALL") || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			faults = append(faults, fmt.Errorf("the service %s is not hardened", name))
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				faults = append(faults, fmt.Errorf("the service %s publishes port %s on %q, not on this machine alone", name, port.Published, port.HostIP))
			}
		}
		for _, volume := range service.Volumes {
			if volume.Type == "volume" {
				if _, ok := project.Volumes[volume.Source]; !ok {
					faults = append(faults, fmt.Errorf("the service %s mounts the volume %s, which there is not", name, volume.Source))
				}
			}
		}
	}
	if len(project.Services) == 0 {
		faults = append(faults, errors.New("there is no service"))
	}
	return "services " + strings.Join(project.ServiceNames(), ", "), errors.Join(faults...)
}
