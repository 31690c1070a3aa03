"""The app's registration."""

from django.apps import AppConfig


class BankConfig(AppConfig):
    """The `bank` app."""

    name = "exam_web.bank"
    label = "bank"
