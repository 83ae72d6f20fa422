CREATE TABLE projects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team bigint NOT NULL REFERENCES teams,
    name text NOT NULL,
    archived boolean NOT NULL DEFAULT false,
    UNIQUE (team, name)
);

CREATE TABLE tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    title text NOT NULL,
    body text NOT NULL DEFAULT '',
    assignee bigint REFERENCES accounts,
    due date,
    done_at timestamptz
);
CREATE INDEX tasks_project ON tasks (project);
CREATE INDEX tasks_assignee ON tasks (assignee) WHERE done_at IS NULL;
CREATE INDEX tasks_due ON tasks (due) WHERE done_at IS NULL;

CREATE TABLE labels (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    colour text NOT NULL DEFAULT '#808080'
);

CREATE TABLE task_labels (
    task bigint NOT NULL REFERENCES tasks ON DELETE CASCADE,
    label bigint NOT NULL REFERENCES labels ON DELETE CASCADE,
    PRIMARY KEY (task, label)
);
CREATE INDEX task_labels_label ON task_labels (label);

CREATE TABLE comments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task bigint NOT NULL REFERENCES tasks ON DELETE CASCADE,
    author bigint NOT NULL REFERENCES accounts,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX comments_task ON comments (task, created_at);

CREATE TABLE attachments (
    id uuid PRIMARY KEY,
    task bigint NOT NULL REFERENCES tasks ON DELETE CASCADE,
    name text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0)
);
CREATE INDEX attachments_task ON attachments (task);
