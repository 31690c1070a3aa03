"""The kinds of questions: what an author writes, what students see, and what an answer earns.

Each kind has three forms: the *authored* one, which has its rules (`faults`) and is frozen into the other two; the
*student half*, which tells nothing of the key and parses answers; and the *key half*, which scores them. The halves
never travel together. `registry` finds a kind's halves by name; `model` has the protocols.
"""
