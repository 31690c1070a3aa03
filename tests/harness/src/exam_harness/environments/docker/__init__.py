"""The Docker engine, its images, and what it changes on the host."""
