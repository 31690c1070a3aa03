"""The broker: Celery on Redis."""
