"""Exams as YAML documents: read with the rules of their texts, and written."""
