"""The `exam` command for students and auditors."""
