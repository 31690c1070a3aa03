"""The operator: an `Exam` resource runs its sitting."""
