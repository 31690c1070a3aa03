"""A real cluster on this machine by one command: kind, its images, the chart, an exam, and nothing left behind."""
