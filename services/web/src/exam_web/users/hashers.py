"""Argon2id with the parameters that OWASP recommends: 19 MiB, two passes, one lane."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """A login costs some 20 ms of one core, not 60 ms of all: a whole level logs in within the same minutes."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
