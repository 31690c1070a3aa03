"""Grading: from one sealed bucket to the degrees of its students."""
