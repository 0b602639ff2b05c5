package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"owlatsync/source/xlsx"
)

// ReadSheet reads the first rows of a sheet of a workbook as a table of that name. Without a sheet it is the first that is not hidden.
func ReadSheet(ctx context.Context, path, sheet, name string) (*Catalog, error) {
	columns, rows, err := xlsx.Sample(ctx, path, sheet, sampleRows)
	if err != nil {
		return nil, err
	}
	t := Table{Name: name, Sampled: true, Rows: len(rows)}
	for i, column := range columns {
		c := Column{Name: column, Type: "cells", Kind: Any}
		for _, row := range rows {
			switch v := row[i].(type) {
			case nil:
				c.Nulls++
			case time.Time:
				c.Sample = append(c.Sample, v.Format(time.RFC3339))
			case json.Number:
				c.Sample = append(c.Sample, v.String())
			default:
				c.Sample = append(c.Sample, fmt.Sprint(v))
			}
		}
		t.Columns = append(t.Columns, c)
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
}
