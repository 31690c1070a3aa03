"""Coordination: takes one sitting from its end to a graded and, if automatic, published revision."""
