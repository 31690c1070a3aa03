"""The commands of ``python -m exam_grader``, each imported only when it runs."""
