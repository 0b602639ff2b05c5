package setup

import (
	"context"
	"errors"

	"owlatsync/internal/config"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// Export hands out the people of a sync whom Owlat does not have; see reconcile.Engine. A person has the values of the columns as properties. An export
// that only counts is made beside runs.
func Export(ctx context.Context, s *Session, sync config.Sync, columns []string, o reconcile.ExportOptions, observe func(progress.Value)) (done reconcile.Exported, err error) {
	engine := s.engine
	if o.Began.IsZero() {
		planner, end, err := s.planner(ctx)
		if err != nil {
			return done, err
		}
		defer func() { err = errors.Join(err, end()) }()
		engine = planner
	}
	o.Observers = append(o.Observers, complete(observe)...)
	// An event is what has a row read further columns; the engine sends none of an export.
	read := config.Event{}
	for _, column := range columns {
		read.Properties = append(read.Properties, config.Property{Name: column, Column: column})
	}
	sync.Events = []config.Event{read}
	err = s.withSource(sync, func(rs reconcile.Sync) (err error) {
		done, err = engine.Export(ctx, rs, o)
		return err
	})
	return done, err
}
