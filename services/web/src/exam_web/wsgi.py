"""The WSGI entry point: ``gunicorn --config python:exam_web.gunicorn exam_web.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exam_web.settings")

application = get_wsgi_application()
