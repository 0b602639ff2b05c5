-- What plots need of a run, so that they need not read ten thousand reports: a list of what its report counted, NULL without one.
CREATE FUNCTION @counts_of(report BYTEA) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	o CONSTANT JSONB := convert_from(report, 'UTF8')::jsonb -> 'outcomes';
	r CONSTANT JSONB := convert_from(report, 'UTF8')::jsonb -> 'requests';
BEGIN
	RETURN jsonb_build_array(
		o -> 'created', o -> 'updated', o -> 'renamed', o -> 'adopted', o -> 'unchanged', o -> 'removed', o -> 'invalid', o -> 'duplicate', o -> 'skipped', o -> 'failed',
		r -> 'total', r -> 'writes', r -> 'rate_limited')::text;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL; -- what cannot be read has no place in a plot, and must not keep anybody from writing
END
$$;
ALTER TABLE @runs ADD COLUMN counts TEXT GENERATED ALWAYS AS (CASE WHEN report IS NOT NULL THEN @counts_of(report) END) STORED;

CREATE INDEX runs_finished ON @runs (sync, finished) WHERE mode <> 'plan';
