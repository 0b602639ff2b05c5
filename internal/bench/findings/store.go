package findings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Result is what one part found and on what machine. Each is kept in a file of its own, so that a part can be measured
// anew without the others.
type Result struct {
	Part    string
	Machine string
	Section Section
}

// ResultFile is where the result of a part is kept in a folder.
func ResultFile(folder, part string) string { return filepath.Join(folder, part+".json") }

// Save keeps the result.
func (r Result) Save(folder string) error {
	if err := r.Section.Check(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(ResultFile(folder, r.Part), append(text, '\n'), 0o644)
}

// Load returns the kept results of the parts, in their order; parts that were never measured are left out.
func Load(folder string, parts []string) ([]Result, error) {
	var results []Result
	for _, p := range parts {
		text, err := os.ReadFile(ResultFile(folder, p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var r Result
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read the kept result of %s: %w", p, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// Check finds tables and charts whose parts do not fit together.
func (s Section) Check() error {
	for _, t := range s.Tables {
		for _, row := range t.Rows {
			if len(row) != len(t.Columns) {
				return fmt.Errorf("%s: the row %q has not the %d columns of its table", s.Title, row, len(t.Columns))
			}
		}
	}
	for _, c := range s.Charts {
		if len(c.Values) != len(c.Labels) {
			return fmt.Errorf("%s: the chart %q has %d labels and values for %d", s.Title, c.Title, len(c.Labels), len(c.Values))
		}
		for _, group := range c.Values {
			if len(group) != len(c.Series) {
				return fmt.Errorf("%s: the chart %q has %d series and %d values for one label", s.Title, c.Title, len(c.Series), len(group))
			}
		}
	}
	return nil
}
