"""The demo: a whole sitting on real stores with hundreds of students, and a second opinion on every degree."""
