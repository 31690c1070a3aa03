"""Third-party servers as child processes: PostgreSQL, Redis, Cassandra and nginx, and their installation."""
