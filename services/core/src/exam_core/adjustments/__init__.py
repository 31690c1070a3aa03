"""What a grading revision changes of a frozen paper and its key.

A list of adjustments is part of a revision's policy, each with its reason. `model` has the entries and their JSON,
`listing` the list, `written` the spellings that people use, `faults` says what of a list a paper and its key do not
allow, `apply` makes what scores a question. ADR 57 has the rules.
"""
