// Package config reads the YAML file of owlat-sync. It is strict: an unknown key, a missing value or a value that cannot
// work is a problem that names the file, the line and what to do, and all problems are reported together.
//
// A value may hold ${VAR}, which is replaced by the environment variable; it is replaced after the YAML was read, so that
// no value can change the file's structure. "$${" stands for "${" itself. What a setting means is documented in the tags
// of the types in schema.go, from which the JSON Schema for editors is made as well.
package config
