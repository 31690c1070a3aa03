"""Exam as code: read a YAML document into an authored exam, or reject it with lines and reasons.

Every fault of a document is reported at once with its line, so that the author can correct all of them in one pass.
Faults quote nothing of the document, which contains the key: they are also read by people who may not know it.
See `k8s/samples/papers/` for documents and `docs/papers.md` for the format.
"""
