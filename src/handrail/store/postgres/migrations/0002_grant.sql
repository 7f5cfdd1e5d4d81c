-- A grant that was decided without the turn: takes the turn, looks whether anything that the
-- decision rests on has changed, and only then reads the clock, numbers, chains and writes.
-- What is looked at again is what a slice answers (store/postgres/slice.py), line by line.

-- How many of the commits were such grants: where no other came between, only they are looked at.
ALTER TABLE state ADD COLUMN grants bigint NOT NULL DEFAULT 0;
-- Until when somebody wants to be told of every commit; else only who waits for a scope is told.
ALTER TABLE state ADD COLUMN watched bigint NOT NULL DEFAULT 0;

CREATE PROCEDURE grant_lease(
    a_path text,                   -- the search path: names are found as in every transaction
    a_patience text,               -- how long to wait for the turn
    -- what the decision rests on
    a_format integer, a_epoch text, a_boot text,
    a_seq bigint,                  -- the newest entry that it knew
    a_config bigint,               -- the entry of the configuration
    a_ends bigint,                 -- when the first of the leases near ends that were in force
    a_landed bigint,               -- nobody else landed anything near at or after this time
    a_id text, a_agent text, a_role text, a_worktree text, a_started bigint, a_secret text,
    a_others bigint,               -- how many commits it knew that were no such grants
    a_points text, a_lows text, a_highs text,           -- anchors of what is near it, one a line
    a_known text,                  -- the tokens of the leases that are, one a line
    -- what was decided
    a_clock bigint,                -- a reading of the workspace's clock; NULL: the server's
    a_header text, a_payload text, -- one line between two gaps
    a_as text, a_kind text, a_scope text, a_ttl bigint, a_renew bigint, a_lasting boolean,
    a_anchors text,                -- of the patterns of the scope, which has one a line, too
    -- where it came to stand; NULL: something changed, 0: not in this database; nothing is written
    INOUT r_seq bigint, INOUT r_at bigint, INOUT r_header bytea, INOUT r_payload bytea
)
LANGUAGE plpgsql
AS $$
DECLARE
    s record;
    header CONSTANT text[] := string_to_array(a_header, E'\n');
    payload CONSTANT text[] := string_to_array(a_payload, E'\n');
    points CONSTANT text[] := string_to_array(a_points, E'\n');
    lows CONSTANT text[] := string_to_array(a_lows, E'\n');
    highs CONSTANT text[] := string_to_array(a_highs, E'\n');
    known CONSTANT bigint[] := string_to_array(a_known, E'\n')::bigint[];
    others boolean;                -- whether anything but such grants came between
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        r_seq := 0;  -- what was committed while we waited would not be seen
        RETURN;
    END IF;
    PERFORM set_config('search_path', a_path, true), set_config('lock_timeout', a_patience, true),
        set_config('synchronous_commit', 'off', true),
        -- Plans are made once, for tables that grow.
        set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
        set_config('plan_cache_mode', 'force_generic_plan', true);
    -- A queue of one's own before the row: who waits for a row is woken by every change of it.
    PERFORM pg_advisory_xact_lock('state'::regclass::oid::bigint);
    SELECT * INTO s FROM state FOR UPDATE;
    -- From here on each statement sees all that was committed before the turn was won.
    r_at := greatest(
        s.offset_ms + coalesce(a_clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint),
        s.last_now
    );
    others := s.commits - s.grants <> a_others;
    IF s.epoch <> a_epoch OR s.boot <> a_boot OR r_at >= a_ends
        OR (others OR s.head_seq > a_seq) AND (
            EXISTS (
                SELECT 1 FROM may_write m WHERE m.anchor = ANY (points) AND m.token <> ALL (known)
            )
            OR EXISTS (
                SELECT 1 FROM unnest(lows, highs) AS below (low, high), LATERAL (
                    SELECT 1 FROM may_write m
                    WHERE m.anchor > below.low AND m.anchor < below.high
                        AND m.token <> ALL (known) OFFSET 0
                ) found
            )
        )
        OR others AND (
            NOT EXISTS (SELECT 1 FROM format f WHERE f.number = a_format)
            OR (SELECT c.seq FROM config c) IS DISTINCT FROM a_config
            OR NOT EXISTS (
                SELECT 1 FROM session x
                WHERE x.id = a_id AND x.ended_at IS NULL AND x.role IS NOT DISTINCT FROM a_role
                    AND x.agent = a_agent AND x.worktree = a_worktree
                    AND x.started_at = a_started AND x.secret_hash = a_secret
            )
            OR EXISTS (SELECT 1 FROM waiter)
            OR EXISTS (SELECT 1 FROM reading r WHERE r.unread)
            OR EXISTS (
                SELECT 1 FROM orphan_anchor o
                WHERE o.worktree = a_worktree AND o.anchor = ANY (points)
            )
            OR EXISTS (
                SELECT 1 FROM unnest(lows, highs) AS below (low, high), LATERAL (
                    SELECT 1 FROM orphan_anchor o
                    WHERE o.worktree = a_worktree
                        AND o.anchor > below.low AND o.anchor < below.high OFFSET 0
                ) found
            )
            OR EXISTS (SELECT 1 FROM landing d WHERE d.at >= a_landed) AND (
                EXISTS (
                    SELECT 1 FROM landing_anchor n JOIN landing d ON d.token = n.token
                    WHERE n.anchor = ANY (points) AND d.at >= a_landed AND d.session <> a_id
                )
                OR EXISTS (
                    SELECT 1 FROM unnest(lows, highs) AS below (low, high), LATERAL (
                        SELECT 1 FROM landing_anchor n JOIN landing d ON d.token = n.token
                        WHERE n.anchor > below.low AND n.anchor < below.high
                            AND d.at >= a_landed AND d.session <> a_id OFFSET 0
                    ) found
                )
            )
        )
    THEN
        RETURN;
    END IF;
    r_seq := s.head_seq + 1;
    r_payload := convert_to(payload[1] || (r_at + a_ttl) || payload[2], 'UTF8');
    r_header := convert_to(
        header[1] || r_seq || header[2] || r_at || header[3]
        || encode(sha256(r_payload), 'hex') || header[4] || s.head_hash || header[5],
        'UTF8'
    );
    INSERT INTO entry VALUES (r_seq, 'lease.granted', a_id, r_header, r_payload, NULL);
    INSERT INTO lease VALUES (
        r_seq, a_id, a_agent, a_as, a_kind, a_worktree, a_scope, r_at, a_ttl, r_at + a_ttl,
        a_lasting
    );
    INSERT INTO may_write
        SELECT a.anchor, r_seq, p.pattern, a_worktree, a_id, r_at + a_ttl, 'lease', r_at + a_renew
        FROM string_to_table(a_anchors, E'\n') WITH ORDINALITY AS a (anchor, n)
        JOIN string_to_table(a_scope, E'\n') WITH ORDINALITY AS p (pattern, n) USING (n)
        ON CONFLICT DO NOTHING;
    UPDATE state SET head_seq = r_seq, head_hash = encode(sha256(r_header), 'hex'),
        last_now = r_at, commits = commits + 1, grants = grants + 1;
    IF s.watched > r_at THEN
        PERFORM pg_notify(current_schema()::text, '');
    END IF;
    COMMIT;
    -- The turn is given back; who asked waits until the log is on disk (ADR 0032).
    PERFORM set_config(
            'synchronous_commit',
            CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                ELSE current_setting('synchronous_commit') END,
            true
        ),
        pg_logical_emit_message(true, 'handrail', '');
END
$$;
