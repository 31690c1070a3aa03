"""Argon2id with the parameters that OWASP recommends: 19 MiB, two iterations, one lane."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """A login takes about 20 ms of one core, not 60 ms of all, because a whole level logs in at the same time."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
