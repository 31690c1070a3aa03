"""The operator demo: sample Exams applied to a real API server, with the platform as local processes."""
