"""Grading: scores a sealed bucket into the degrees of its students."""
