"""The Django service: people, exams, sittings, degrees."""
