CREATE TYPE project_state AS ENUM ('open', 'done');

CREATE TABLE projects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES users (id),
    title text NOT NULL,
    state project_state NOT NULL DEFAULT 'open'
);

CREATE VIEW open_projects AS
SELECT p.id, p.title, u.name AS owner
FROM projects p JOIN users u ON u.id = p.owner_id
WHERE p.state = 'open';
