"""Coordination of one sitting: which step is next, doing it, repeating until the revision is graded."""
