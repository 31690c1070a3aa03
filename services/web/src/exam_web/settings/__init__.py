"""Django's settings; values that differ between deployments come from `WebSettings`."""

from typing import Any

import django_stubs_ext

from exam_runtime.settings import load_settings
from exam_web.settings.variables import WebSettings

ENVIRONMENT = load_settings(WebSettings)

SECRET_KEY = ENVIRONMENT.secret_key.get_secret_value()
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)

INSTALLED_APPS = [
    # The grader serves no page: without the modules of the admin it needs no parser of texts, files and images.
    "django.contrib.admin" if ENVIRONMENT.component == "web" else "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "import_export",
    "ninja",
    "exam_web.users",
    "exam_web.exams",
    "exam_web.bank",
    "exam_web.sittings",
    "exam_web.degrees",
]

MIDDLEWARE = [
    "exam_web.http.request_context.RequestContext",
    "exam_web.http.probes.Probes",
    "exam_web.internal.ports.Ports",
    "django.middleware.security.SecurityMiddleware",
    "exam_web.http.headers.ContentSecurityPolicy",
    "exam_web.http.problems.MethodNotAllowedProblems",
    "exam_web.users.logins.devices.DeviceCookies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "exam_web.http.nul.RejectNul",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "exam_web.users.logins.second_factor.RequireSecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# Makes Django's generic classes subscriptable at run time: the admin subclasses them with type parameters.
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
        # Replaces a connection that a failover broke before a request uses it.
        "CONN_HEALTH_CHECKS": True,
    }
}

# JSON and not pickle: write access to Redis must not mean code execution here.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENVIRONMENT.verified_redis_url,
        "OPTIONS": {
            "serializer": "exam_web.common.cache.JsonSerializer",
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    }
    # The grader reads and writes no list that web caches.
    if ENVIRONMENT.verified_redis_url
    else {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
}
LOGIN_COUNTERS_URL = ENVIRONMENT.verified_broker_url
"""Not the cache: a counter that is evicted gives a guesser more tries."""

PASSWORD_HASHERS = ["exam_web.users.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
] + [{"NAME": "exam_web.users.passwords.EndLogins"}]

STAFF_SECOND_FACTOR = ENVIRONMENT.staff_second_factor
OTP_TOTP_ISSUER = "Exam platform"
"""What an authenticator app shows beside the username."""

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if ENVIRONMENT.insecure_http else 31_536_000
SESSION_COOKIE_SECURE = not ENVIRONMENT.insecure_http
CSRF_COOKIE_SECURE = not ENVIRONMENT.insecure_http
SESSION_COOKIE_HTTPONLY = True
# Each request prolongs the session, so that its age is the time without requests.
SESSION_COOKIE_AGE = ENVIRONMENT.admin_idle_seconds
SESSION_SAVE_EVERY_REQUEST = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# Django's 1,000 is less than an exam's page with 150 questions posts. The largest form has 500 questions of
# some ten fields; the page that confirms an action posts `MAX_SELECTED` rows (exam_web.common.admin). The size of the
# body, bounded above, bounds the cost.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# gunicorn.py configures logging: everything goes through the root logger, as JSON.
LOGGING_CONFIG = None
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # SSL redirect: the gateway does it
    "security.W005",  # HSTS for subdomains: the owner of the domain decides, not one service
    "security.W021",  # HSTS preload: likewise
]

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.static_root
