"""Web's Prometheus metrics."""

from prometheus_client import Counter

from exam_runtime.metrics import request_histogram

REQUESTS = request_histogram("web")
LOGINS = Counter("exam_web_logins_total", "Logins by kind of user and outcome.", ["kind", "outcome"])
CACHE = Counter("exam_web_cache_total", "Reads of the cache by outcome.", ["outcome"])
LOGINS_COUNTED = Counter("exam_web_logins_counted_total", "Logins by the store that counted them.", ["store"])
LOGINS_LIMITED = Counter("exam_web_logins_limited_total", "Logins refused before their check, by limit.", ["limit"])
