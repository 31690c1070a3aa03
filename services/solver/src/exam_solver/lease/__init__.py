"""The process's lease, and what comes with each renewal."""
