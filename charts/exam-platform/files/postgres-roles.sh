# Creates the database and the roles of services, which own nothing; `create_owner` creates the role that owns it, also
# where an earlier release initialised the data. Runs once, when the data directory is initialised. psql quotes the passwords.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres \
  --set web="$EXAM_WEB_PASSWORD" --set solver="$EXAM_SOLVER_PASSWORD" --set grader="$EXAM_GRADER_PASSWORD" <<'SQL'
CREATE ROLE exam_web LOGIN PASSWORD :'web';
CREATE ROLE exam_solver LOGIN PASSWORD :'solver';
CREATE ROLE exam_grader LOGIN PASSWORD :'grader';
CREATE DATABASE exam;
SQL
