"""Sealing: folds the answer log of a sitting into the set of answers that counts."""
