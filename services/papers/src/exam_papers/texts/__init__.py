"""Texts as authors write them, made into safe HTML, MathML and plain text when a paper is frozen."""
