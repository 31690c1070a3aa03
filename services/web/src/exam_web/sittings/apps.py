"""App configuration."""

from django.apps import AppConfig


class SittingsConfig(AppConfig):
    """The `sittings` app."""

    name = "exam_web.sittings"
    label = "sittings"
