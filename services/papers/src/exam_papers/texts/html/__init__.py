"""HTML: what is kept of it, and how."""
