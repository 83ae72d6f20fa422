-- tenantry: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS projects_owner ON projects (owner_id);
