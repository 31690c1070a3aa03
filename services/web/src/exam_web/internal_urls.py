"""The URLs of the internal port."""

from django.urls import URLPattern, URLResolver, path

from exam_web.api import internal_api
from exam_web.urls import handler400, handler404, handler500

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

urlpatterns: list[URLPattern | URLResolver] = [path("internal/", internal_api.urls)]
