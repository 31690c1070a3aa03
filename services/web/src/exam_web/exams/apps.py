"""The app's registration."""

from django.apps import AppConfig


class ExamsConfig(AppConfig):
    """The `exams` app."""

    name = "exam_web.exams"
    label = "exams"
