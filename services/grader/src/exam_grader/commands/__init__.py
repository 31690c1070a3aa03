"""The commands of `python -m exam_grader`, each imported when it is asked for."""
