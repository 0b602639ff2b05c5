package cluster

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Clock is the clock that all nodes share, whatever those of their machines say: PostgreSQL's. A *postgres.Clock is one.
type Clock interface {
	Now() time.Time
	// Within is by how much Now may be wrong.
	Within() time.Duration
	// Asks is called right before PostgreSQL is asked for the time, and told when its answer is there.
	Asks() (told func(now time.Time))
}

// riverTime gives the clock to River, which compares times that nodes write with the database's.
type riverTime struct{ Clock }

// NowOrNil implements rivertype.TimeGenerator: in its statements River takes PostgreSQL's own time.
func (riverTime) NowOrNil() *time.Time { return nil }

// stamp dates jobs that are put into a queue. River's driver would take the machine's own clock.
type stamp struct {
	river.HookDefaults
	Clock
}

// InsertBegin implements rivertype.HookInsertBegin. The time is not ahead of PostgreSQL's, so that what is due at once is seen at once.
func (s *stamp) InsertBegin(_ context.Context, p *rivertype.JobInsertParams) error {
	now := s.Now().Add(-s.Within())
	if p.CreatedAt == nil {
		p.CreatedAt = &now
	}
	if p.ScheduledAt == nil {
		p.ScheduledAt = &now
	}
	return nil
}
