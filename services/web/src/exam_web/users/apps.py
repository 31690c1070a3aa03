"""App configuration."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """The `users` app."""

    name = "exam_web.users"
    label = "users"
