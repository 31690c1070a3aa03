"""What authors write: texts with formulas, and files of questions in the formats of other platforms."""
