"""What web counts."""

from prometheus_client import Counter, Histogram

REQUESTS = Histogram("exam_web_request_seconds", "Seconds a request took", ["method", "route", "status"])
LOGINS = Counter("exam_web_logins_total", "Logins by kind of person and outcome", ["kind", "outcome"])
CACHE = Counter("exam_web_cache_total", "Reads of the cache by outcome", ["outcome"])
