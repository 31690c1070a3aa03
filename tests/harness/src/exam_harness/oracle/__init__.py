"""The oracle: a second opinion on a sitting that shares no code with the platform.

It reads the authored exam itself, keeps what each student was acknowledged, scores it plainly, verifies receipts
with the published keys, and compares all that with what was sealed and with the degrees. It imports nothing of
ours (an import-linter contract says so): a fault in our own domain code must not be able to excuse itself here.
"""
