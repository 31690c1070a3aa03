"""The platform under Docker Compose: brought up, used as people use it, and taken down."""
