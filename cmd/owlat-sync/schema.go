package main

import (
	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
)

func newSchemaCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Print the JSON Schema of the configuration file, with which editors complete and check it.

Save it beside the file, and make this the file's first line:

  # yaml-language-server: $schema=owlat-sync.schema.json`,
		Example: `  owlat-sync schema > owlat-sync.schema.json`,
		GroupID: program.GroupTools,
		Args:    program.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			a.Printf("%s", schema)
			return nil
		},
	}
}
