"""Django's settings; everything that differs between places comes from `WebSettings`."""

from typing import Any

import django_stubs_ext

from exam_web.settings.variables import WebSettings

ENVIRONMENT = WebSettings()  # type: ignore[call-arg]  # pydantic fills it from the environment

SECRET_KEY = ENVIRONMENT.secret_key.get_secret_value()
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts.split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in ENVIRONMENT.csrf_trusted_origins.split(",") if origin]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "import_export",
    "ninja",
    "exam_web.users",
    "exam_web.exams",
    "exam_web.sittings",
    "exam_web.degrees",
]

MIDDLEWARE = [
    "exam_web.http.request_context.Observe",
    "exam_web.http.probes.Probes",
    "django.middleware.security.SecurityMiddleware",
    "exam_web.http.headers.ContentSecurityPolicy",
    "exam_web.http.problems.ProblemsForMethods",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# The admin subclasses generic Django classes; this lets them be written with their parameters.
django_stubs_ext.monkeypatch()

ROOT_URLCONF = "exam_web.urls"
WSGI_APPLICATION = "exam_web.wsgi.application"
AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "exam_web.users.backends.DoctorsBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": ENVIRONMENT.database()
    | {
        "ENGINE": "django.db.backends.postgresql",
        # A connection that a failover broke is found before a request has it.
        "CONN_HEALTH_CHECKS": True,
    }
}

# Who may write to Redis must not be able to run code here, as a pickle would: see JsonSerializer.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": str(ENVIRONMENT.redis_url),
        "OPTIONS": {
            "serializer": "exam_web.common.cache.JsonSerializer",
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    }
}

PASSWORD_HASHERS = ["exam_web.users.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if ENVIRONMENT.insecure_http else 31_536_000
SESSION_COOKIE_SECURE = not ENVIRONMENT.insecure_http
CSRF_COOKIE_SECURE = not ENVIRONMENT.insecure_http
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# structlog owns the output (observability.py); Django's own logging goes through it.
LOGGING_CONFIG = None
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # the gateway redirects to HTTPS
    "security.W005",  # what other services live under the host's name
    "security.W021",  # is its owner's to promise, not ours
]

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.static_root
