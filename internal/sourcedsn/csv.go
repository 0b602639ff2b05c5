package sourcedsn

import (
	"errors"
	"fmt"

	"owlatsync/source"
)

// Encoding returns the encoding of a CSV source; empty if the DSN names none.
func (d DSN) Encoding() string {
	if d.parts == nil {
		return ""
	}
	return d.encoding
}

// CSVOptions returns how a CSV source is read, for [source.CSV].
func (d DSN) CSVOptions() (options []source.CSVOption) {
	if d.kind != KindCSV {
		return nil
	}
	if d.delimiter != 0 {
		options = append(options, source.Delimiter(d.delimiter))
	}
	if d.encoding != "" {
		options = append(options, source.Encoding(d.encoding))
	}
	return options
}

// Stdin is the path of a file source that is standard input.
const Stdin = "-"

func parseEncoding(value string) (string, error) {
	if value == "" {
		return "", errors.New(`read the DSN: the encoding has no name; name one, such as "encoding=windows-1252"`)
	}
	if _, err := source.CSV(nil, source.Mapping{Email: "email"}, source.Encoding(value)); err != nil {
		return "", fmt.Errorf("read the DSN: %w", err)
	}
	return value, nil
}
