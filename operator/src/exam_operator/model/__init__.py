"""What the operator reads: the Exam resource and the observed state, as immutable values."""
