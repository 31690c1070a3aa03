"""The demo: a whole sitting on real stores with hundreds of students, where every degree is checked by the oracle."""
