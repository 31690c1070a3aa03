"""App configuration."""

from django.apps import AppConfig


class DegreesConfig(AppConfig):
    """The `degrees` app."""

    name = "exam_web.degrees"
    label = "degrees"
