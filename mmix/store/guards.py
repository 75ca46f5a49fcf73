"""What the database itself refuses, whoever asks: the SQL that migrations install.

Frozen: a migration runs what stands here at its time, so what changes becomes a new constant and a new migration. Tests
compare the rules with the states in code.
"""

RULES = """
CREATE FUNCTION runs_keep_the_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('blocked', 'queued') OR NEW.attempt <> 0 THEN
            RAISE EXCEPTION 'a run begins blocked or queued, without an attempt, not %', NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_keep_the_rules';
        END IF;
    ELSE
        IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('blocked', 'queued'), ('blocked', 'failed'), ('blocked', 'cancelled'),
            ('queued', 'running'), ('queued', 'cancelled'),
            ('running', 'succeeded'), ('running', 'failed'), ('running', 'retry_wait'), ('running', 'queued'),
            ('running', 'cancelling'),
            ('retry_wait', 'queued'), ('retry_wait', 'cancelled'),
            ('cancelling', 'cancelled')
        ) THEN
            RAISE EXCEPTION 'run % may not go from % to %', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_keep_the_rules';
        END IF;
        IF NEW.attempt <> OLD.attempt + (OLD.state = 'queued' AND NEW.state = 'running')::int THEN
            RAISE EXCEPTION 'run % may not go from attempt % to % as it goes from % to %',
                OLD.id, OLD.attempt, NEW.attempt, OLD.state, NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'runs_keep_the_rules';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_keep_the_rules BEFORE INSERT OR UPDATE OF state, attempt ON runs
    FOR EACH ROW EXECUTE FUNCTION runs_keep_the_rules();
"""

NOTES = """
CREATE FUNCTION runs_are_noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (actor, action, kind, object_id, before, after) VALUES (
        coalesce(nullif(current_setting('mmix.actor', true), ''), session_user),
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'state' END,
        'run',
        NEW.id,
        CASE TG_OP WHEN 'INSERT' THEN NULL ELSE jsonb_build_object('state', OLD.state, 'attempt', OLD.attempt) END,
        jsonb_build_object('state', NEW.state, 'attempt', NEW.attempt)
    );
    RETURN NULL;
END $$;

CREATE TRIGGER new_runs_are_noted AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION runs_are_noted();
CREATE TRIGGER runs_are_noted AFTER UPDATE OF state ON runs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION runs_are_noted();
"""

APPEND_ONLY = """
CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_added_to();
"""
