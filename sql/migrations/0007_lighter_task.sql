-- A task's row is written by the tens of thousands when a sweep is submitted, and half of that was spent on things that
-- nobody used: two jsonb columns that are only ever read as text, and six foreign keys that ask once for each row and key
-- even where the key is NULL. The columns become json, which also keeps the text as it was hashed; one trigger, fired
-- only for rows that name a subject, checks what the keys checked. Subjects are never deleted.
SET LOCAL search_path = acsweep, public;

DROP VIEW why_waiting; -- made again below: it reads task.resources

-- As the coordinator writes it from now on: keys sorted, nothing for what is 0.
CREATE FUNCTION pg_temp.resources_text(r jsonb) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT ('{' || coalesce(string_agg(format('"%s":%s', key, value), ',' ORDER BY key), '') || '}')::json
    FROM jsonb_each_text(r) WHERE value <> '0'
$$;
ALTER TABLE task
    ALTER COLUMN resources DROP DEFAULT,
    DROP CONSTRAINT task_encoder_id_fkey, DROP CONSTRAINT task_representation_id_fkey, DROP CONSTRAINT task_benchmark_id_fkey,
    DROP CONSTRAINT task_correspondence_set_id_fkey, DROP CONSTRAINT task_image_set_id_fkey,
    DROP CONSTRAINT task_score_setting_id_fkey;
ALTER TABLE task
    ALTER COLUMN params TYPE json USING params::text::json,
    ALTER COLUMN resources TYPE json USING pg_temp.resources_text(resources),
    ALTER COLUMN resources SET DEFAULT '{}';
DELETE FROM placement; -- the leader writes the reasons anew

CREATE FUNCTION task_subject_check() RETURNS trigger LANGUAGE plpgsql SET search_path = acsweep, pg_temp AS $$
DECLARE
    unknown text := concat_ws(', ',
        CASE WHEN NEW.encoder_id IS NOT NULL AND NOT EXISTS (SELECT FROM encoder x WHERE x.encoder_id = NEW.encoder_id)
             THEN 'encoder ' || NEW.encoder_id END,
        CASE WHEN NEW.representation_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM representation x WHERE x.representation_id = NEW.representation_id)
             THEN 'representation ' || NEW.representation_id END,
        CASE WHEN NEW.benchmark_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM benchmark x WHERE x.benchmark_id = NEW.benchmark_id)
             THEN 'benchmark ' || NEW.benchmark_id END,
        CASE WHEN NEW.correspondence_set_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM correspondence_set x WHERE x.correspondence_set_id = NEW.correspondence_set_id)
             THEN 'correspondence set ' || NEW.correspondence_set_id END,
        CASE WHEN NEW.image_set_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM image_set x WHERE x.image_set_id = NEW.image_set_id)
             THEN 'image set ' || NEW.image_set_id END,
        CASE WHEN NEW.score_setting_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM score_setting x WHERE x.score_setting_id = NEW.score_setting_id)
             THEN 'score setting ' || NEW.score_setting_id END);
BEGIN
    IF unknown <> '' THEN
        RAISE foreign_key_violation USING MESSAGE = format('task %s names what does not exist: %s', NEW.task_id, unknown);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER task_subject AFTER INSERT ON task FOR EACH ROW
WHEN (num_nonnulls(NEW.encoder_id, NEW.representation_id, NEW.benchmark_id, NEW.correspondence_set_id, NEW.image_set_id,
                   NEW.score_setting_id) > 0)
EXECUTE FUNCTION task_subject_check();

CREATE VIEW why_waiting AS
SELECT t.sweep, t.task_id, t.kind, t.label, t.status,
       CASE t.status
       WHEN 'blocked' THEN format('an input will never come: %s (%s)%s', i.label, i.state, ': ' || nullif(i.reason, ''))
       WHEN 'waiting' THEN format('%s of its inputs not done, first %s (%s)', t.inputs_missing, i.label, i.state)
       ELSE coalesce(
           p.reason,
           (SELECT 'the scheduler says: ' || string_agg(x.shape || ': ' || x.reason, '; ' ORDER BY x.since) FROM placement x),
           CASE WHEN EXISTS (SELECT FROM worker w WHERE w.state = 'joined') THEN 'ready, waits for a free slot'
                ELSE 'no worker has joined' END)
       END AS reason,
       i.task_id AS input_task_id, p.since, t.attempts
FROM tasks t
JOIN task u USING (task_id)
LEFT JOIN placement p ON t.status = 'ready' AND p.shape = u.executor || ' ' || u.resources
LEFT JOIN LATERAL (
    SELECT v.task_id, v.label, v.state, v.reason
    FROM task_input ti JOIN task v ON v.task_id = ti.input_task_id
    WHERE ti.task_id = t.task_id AND v.state <> 'done'
    ORDER BY v.state IN ('failed', 'cancelled') DESC, v.task_id
    LIMIT 1) i ON t.status <> 'ready'
WHERE t.status IN ('ready', 'waiting', 'blocked');

COMMENT ON FUNCTION task_subject_check IS 'Refuses a task that names an encoder, representation, benchmark, ... that does not exist.';
COMMENT ON VIEW why_waiting IS 'Why tasks that could run one day do not run now.';
COMMENT ON COLUMN why_waiting.sweep IS 'name of the sweep';
COMMENT ON COLUMN why_waiting.task_id IS 'task';
COMMENT ON COLUMN why_waiting.kind IS 'kind of task: extract, stage1, score_a, score_c, stage2, evaluate, ...';
COMMENT ON COLUMN why_waiting.label IS 'readable name';
COMMENT ON COLUMN why_waiting.status IS 'ready, waiting, or blocked by an input that will never come';
COMMENT ON COLUMN why_waiting.reason IS 'why it is so';
COMMENT ON COLUMN why_waiting.input_task_id IS 'the task whose result is needed';
COMMENT ON COLUMN why_waiting.since IS 'since when';
COMMENT ON COLUMN why_waiting.attempts IS 'tries so far';
COMMENT ON COLUMN task.params IS 'parameters, identity and execution apart: canonical JSON, the identity as it was hashed';
COMMENT ON COLUMN task.resources IS 'what a slot must have; what is not named is 0';
