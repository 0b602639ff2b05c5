package config

import "owlatsync/internal/config/internal/written"

// Schema returns the JSON Schema of the configuration file.
func Schema() ([]byte, error) { return written.Schema() }

// DeploymentSchema returns the JSON Schema of a file in the folder of deployments.
func DeploymentSchema() ([]byte, error) { return written.DeploymentSchema() }
