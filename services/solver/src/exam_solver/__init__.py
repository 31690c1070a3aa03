"""The solver: start, paper, answers, submit."""
