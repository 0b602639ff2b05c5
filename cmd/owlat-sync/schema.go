package main

import (
	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
)

func newSchemaCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [deployment]",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Print the JSON Schema of the configuration file, with which editors complete and check it.

Save it beside the file, and make this the file's first line:

  # yaml-language-server: $schema=owlat-sync.schema.json

"schema deployment" prints that of the files in the folder that "deployments" names.`,
		Example: `  owlat-sync schema > owlat-sync.schema.json
  owlat-sync schema deployment > deployment.schema.json`,
		GroupID: program.GroupTools,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "deployment" {
				return nil
			}
			return program.NoArgs(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			schema, err := config.Schema()
			if len(args) > 0 {
				schema, err = config.DeploymentSchema()
			}
			if err != nil {
				return err
			}
			a.Printf("%s", schema)
			return nil
		},
	}
}
