"""What operators and solvers of the release before call at the public port, while an upgrade replaces them.

Served until EXAM_FORMER_CALLERS_UNTIL only; the next release removes this module.
"""

from django.urls import URLPattern, URLResolver, path

from exam_web.internal.former import verify
from exam_web.internal_urls import urlpatterns as internal
from exam_web.urls import handler400, handler404, handler500

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

urlpatterns: list[URLPattern | URLResolver] = [*internal, path("api/auth/verify", verify)]
