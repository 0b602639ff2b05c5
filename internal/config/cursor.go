package config

import (
	"strconv"

	"owlatsync/internal/config/internal/span"
	"owlatsync/reconcile"
)

// syncDecoder reads the syncs.
type syncDecoder struct{ *decoder }

// cursor reads the settings for reading only changed rows, and returns the cursor's column.
func (d syncDecoder) cursor(s section, sync *Sync) value {
	column, overlap, every := s.text("cursor"), s.text("overlap"), s.text("full_every")
	if !column.given {
		for _, v := range []value{overlap, every} {
			if v.given && !column.wrong {
				v.refuse(d.decoder, "means nothing without \"cursor\", the column that tells when a row changed")
			}
		}
		return column
	}
	sync.Cursor.Column, sync.FullEvery = column.text, reconcile.DefaultFullEvery
	if len(sync.Key) == 0 {
		column.refuse(d.decoder, "needs a \"key\" beside the source: without one a row whose address changed cannot be told from another")
	}
	if overlap.given {
		if n, err := strconv.ParseInt(overlap.text, 10, 64); err == nil && n > 0 {
			sync.Cursor.Step = n
		} else if sync.Cursor.Overlap, err = span.Parse(overlap.text); err != nil {
			overlap.refuse(d.decoder, "must be a duration such as 10m or 1h, or for a cursor of whole numbers a number such as 1000")
		}
	}
	if every.given {
		var err error
		if sync.FullEvery, err = span.Parse(every.text); err != nil {
			every.refuse(d.decoder, "must be a duration such as 12h or 7d")
		}
	}
	return column
}
