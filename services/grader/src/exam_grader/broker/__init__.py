"""Celery on Redis: the app, the queues and the request ids of tasks."""
