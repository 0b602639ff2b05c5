package config

import (
	"testing"

	"owlatsync"
)

// TestOverwrite reads who owns the fields, of a sync and of single fields.
func TestOverwrite(t *testing.T) {
	t.Parallel()
	const always, ours, empty, never = owlatsync.OverwriteAlways, owlatsync.OverwriteIfOurs, owlatsync.OverwriteIfEmpty, owlatsync.OverwriteNever
	for name, tt := range map[string]struct {
		sync string
		want owlatsync.Overwrites
	}{
		"nothing": {"    fields: {email: email, firstName: first}\n", owlatsync.Overwrites{}},
		"a sync": {"    overwrite: if_ours\n    fields: {email: email, firstName: first}\n",
			owlatsync.Overwrites{Email: ours, Fields: [2]owlatsync.Overwrite{ours, ours}}},
		"a field": {"    fields: {email: email, firstName: {column: first, overwrite: if_empty}}\n",
			owlatsync.Overwrites{Fields: [2]owlatsync.Overwrite{empty}}},
		"a sync and fields": {"    overwrite: never\n    fields:\n      email: {column: email, overwrite: always}\n      firstName: {column: first, title: true, overwrite: if_ours}\n      lastName: last\n",
			owlatsync.Overwrites{Email: always, Fields: [2]owlatsync.Overwrite{ours, never}}},
		"a full name": {"    overwrite: if_ours\n    fields: {email: email, fullName: {column: name, overwrite: if_empty}}\n",
			owlatsync.Overwrites{Email: ours, Fields: [2]owlatsync.Overwrite{empty, empty}}},
		"a constant": {"    fields: {email: email, lastName: {value: Customer, overwrite: never}}\n",
			owlatsync.Overwrites{Fields: [2]owlatsync.Overwrite{"", never}}},
	} {
		file := "owlat: {api_key: \"${OWLAT_API_KEY}\"}\nsyncs:\n  users:\n    source: {dsn: \"sqlite:a.db\", query: SELECT 1}\n" + tt.sync
		cfg, err := Parse("f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := cfg.Sync("users")
		if s.Overwrite != tt.want || s.Reconcile(nil).Overwrite != tt.want {
			t.Errorf("%s: %+v, want %+v", name, s.Overwrite, tt.want)
		}
		if s.Fields.Shapes.Email != (Fields{}).Shapes.Email {
			t.Errorf("%s: the address is made of a column: %+v", name, s.Fields.Shapes)
		}
	}
}
