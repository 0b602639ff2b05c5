-- +goose Up
COMMENT ON COLUMN @entries.events IS 'JSON, NULL: none. A list of events, or an object with the marks of fields beside them, which earlier versions cannot read';
