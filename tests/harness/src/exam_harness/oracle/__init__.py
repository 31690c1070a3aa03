"""The oracle: a second implementation that checks a sitting and shares no code with the platform.

It reads the authored exam itself, records what each student sent and what the platform acknowledged, scores that
plainly, verifies receipts with the published keys, and compares the results with the seal and the degrees. It imports
no other package of this project (an import-linter contract enforces it): a bug in the domain code must not hide here.
"""
