"""A sitting on Docker Compose, scheduled by command and graded in the admin."""
