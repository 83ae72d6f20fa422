CREATE TABLE task_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task bigint NOT NULL REFERENCES tasks ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    what text NOT NULL
);
CREATE INDEX task_events_task ON task_events (task, at);

CREATE FUNCTION note_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_events (task, what) VALUES (NEW.id, lower(TG_OP));
    RETURN NEW;
END
$$;
CREATE TRIGGER note_task AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION note_task();

CREATE VIEW open_tasks AS
    SELECT t.id, t.title, p.name AS project, a.name AS assignee
    FROM tasks t JOIN projects p ON p.id = t.project LEFT JOIN accounts a ON a.id = t.assignee
    WHERE t.done_at IS NULL AND NOT p.archived;

INSERT INTO labels (name, colour) VALUES ('bug', '#d03030'), ('idea', '#3060d0'), ('chore', '#808080');
