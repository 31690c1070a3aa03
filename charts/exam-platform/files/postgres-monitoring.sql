-- The role of PostgreSQL's exporter: reads statistics and settings, and no table. Idempotent. psql quotes the password.
-- No dollar quotes: Kubernetes would expand them.
DO 'BEGIN CREATE ROLE exam_monitoring; EXCEPTION WHEN duplicate_object THEN NULL; END';
ALTER ROLE exam_monitoring LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 10 PASSWORD :'password';
GRANT pg_monitor TO exam_monitoring;
