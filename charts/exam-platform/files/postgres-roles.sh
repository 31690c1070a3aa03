# Creates the database and its roles; runs once, when the data directory is initialised. psql quotes the passwords.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres \
  --set web="$EXAM_WEB_PASSWORD" --set solver="$EXAM_SOLVER_PASSWORD" --set grader="$EXAM_GRADER_PASSWORD" <<'SQL'
CREATE ROLE exam_web LOGIN PASSWORD :'web';
CREATE ROLE exam_solver LOGIN PASSWORD :'solver';
CREATE ROLE exam_grader LOGIN PASSWORD :'grader';
CREATE DATABASE exam OWNER exam_web;
SQL
