// Package config reads the YAML file of owlat-sync. It is strict: an unknown key, a missing value or a value that cannot
// work is a problem that names the file, the line and what to do, and all problems are reported together.
//
// A value may hold ${VAR}, which is replaced by the environment variable. That happens after the YAML was read, so no value can
// change the file's structure. "$${" means "${" itself. The tags of the types in schema.go document each setting; the JSON Schema
// for editors is made from them too.
package config
