"""Settings: the only module that reads the environment. `.env.example` and the README list every variable."""

import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from imgsim_site import embedded
from imgsim_site.beat import Every
from imgsim_site.storage_url import storage_of


class _Env(environ.Env):
    """The environment, in which a variable that is empty is one that is not set, and nonsense is said to be."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        text = self.ENVIRON.get(var, "")
        if not text and default is not self.NOTSET:
            return default
        if cast is bool and text.strip().lower() not in _BOOLEANS:
            raise ImproperlyConfigured(f"{var} must be true or false; it is {text!r}.")
        try:
            return super().get_value(var, cast=cast, default=default, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} cannot be read: {error}.") from error


_BOOLEANS = {"true", "on", "ok", "y", "yes", "1", "false", "off", "n", "no", "0"}
env = _Env()
BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")

# Where all state lives: the embedded servers, pictures, encoders, static files.
VAR = Path(env.str("IMGSIM_VAR", default=str(BASE_DIR / "var"))).expanduser().resolve()
DEBUG = env.bool("DEBUG", default=False)

# Real servers where the variables name them, embedded ones where they do not.
DATABASE_URL = env.str("DATABASE_URL", default="")
REDIS_URL = env.str("REDIS_URL", default="")
EMBEDDED_POSTGRES = not DATABASE_URL
EMBEDDED_REDIS = not REDIS_URL
DATABASE_URL = DATABASE_URL or embedded.database_url(VAR)
REDIS_URL = REDIS_URL or embedded.redis_url(VAR)


def _secret_key() -> str:
    """Return SECRET_KEY; with the embedded database, one made at the first start and kept in a file of mode 0600."""
    if key := env.str("SECRET_KEY", default=""):
        return key
    if not EMBEDDED_POSTGRES:
        raise ImproperlyConfigured("Set SECRET_KEY: with DATABASE_URL set there is no default for it.")
    path = VAR / "secret_key"
    if not path.exists():
        VAR.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        # Of two first starts at once one wins; `link` never overwrites.
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Behind a TLS-ending proxy: cookies only over TLS, and the proxy's word on the scheme is trusted.
BEHIND_TLS = env.bool("BEHIND_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_HTTPONLY = True  # scripts take the token from the form that they send
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
X_FRAME_OPTIONS = "DENY"
# Proxies of the site's own, each of which adds to X-Forwarded-For where it was asked from.
N_PROXIES = env.int("PROXIES", default=0) if os.environ.get("PROXIES") else int(BEHIND_TLS)
# What one visitor may do in a minute; 0: as much as there is time for.
RATE_LIMITS = {
    "search": env.int("SEARCHES_A_MINUTE", default=600),
    "upload": env.int("UPLOADS_A_MINUTE", default=1_200),
    "link": env.int("LINKS_A_MINUTE", default=30),
    "login": env.int("LOGINS_A_MINUTE", default=20),
}
SECURE_REFERRER_POLICY = "same-origin"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "ninja",  # serves the API page's own script and style: no CDN
    "search",
    "imgsim_site",
]
MIDDLEWARE = [
    "search.logs.requests.GiveId",
    "search.metrics.requests.CountRequests",
    "django.middleware.security.SecurityMiddleware",
    "search.api.answering.ForPrograms",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "search.middleware.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "search.limiting.LimitRates",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "search.middleware.RefuseNul",
]
ROOT_URLCONF = "imgsim_site.urls"
WSGI_APPLICATION = "imgsim_site.wsgi.application"
FORM_RENDERER = "search.forms.rendering.QuickRenderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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


def _database(url: str) -> dict[str, object]:
    """Return Django's settings for a libpq URL; unix sockets and extra libpq options included."""
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL must look like postgresql://user:password@host:5432/imgsim: {error}"
        ) from error
    pool_size = env.int("DB_POOL", default=0)
    options: dict[str, object] = {
        key: value for key, value in parts.items() if key not in {"host", "port", "user", "password", "dbname"}
    }
    # A pool suits one process with many threads (the web server); a worker child has one connection of its own.
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.get("host", ""),
        "PORT": parts.get("port", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "NAME": parts.get("dbname", ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0 if pool_size else 60,
        "CONN_HEALTH_CHECKS": not pool_size,
    }


DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "imgsim",
        # A page asks once or twice, and goes on without.
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
    }
}

# kombu names a unix socket in its own way; ids travel in messages, never pixels.
CELERY_BROKER_URL = (
    "redis+socket://" + REDIS_URL.removeprefix("unix://").partition("?")[0]
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
    # A list for each turn in `search.work.queue`: "imgsim", and "imgsim:9" for what nobody waits for.
    "priority_steps": [0, 9],
    "sep": ":",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Ten seconds by default, in which nobody has what a lost child held.
CELERY_WORKER_LOST_WAIT = 1.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "imgsim"
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1}
CELERY_BEAT_SCHEDULE = {
    "reconcile": {"task": "search.tasks.reconcile", "schedule": Every(60.0)},
    # Each index once a day; a site that runs by day only has no night to do it in.
    "audit-indexes": {"task": "search.tasks.audit_indexes", "schedule": Every(3600.0)},
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "search"

LANGUAGE_CODE = "en"
# locale/ has the texts, and `imgsim_site.translations` looks after them.
LANGUAGES = [("en", "English"), ("de", "German")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "imgsim_site.formats"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = BEHIND_TLS
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Names with a hash of the content can be cached for ever; where nothing was collected, plain names do.
STATIC_IS_COLLECTED = not DEBUG and ((STATIC_ROOT / "staticfiles.json").exists() or "collectstatic" in sys.argv)
WHITENOISE_USE_FINDERS = not STATIC_IS_COLLECTED
# Where pictures are kept: below VAR, in another folder, or in a bucket.
try:
    _STORAGE = storage_of(env.str("STORAGE_URL", default=""), VAR / "media")
except ValueError as _error:
    raise ImproperlyConfigured(str(_error)) from _error
MEDIA_ROOT = _STORAGE["OPTIONS"].get("location") if "bucket_name" not in _STORAGE["OPTIONS"] else VAR / "media"
STORAGES = {
    "default": _STORAGE,
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_IS_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_500  # a thousand results that were selected, and the address they stand at
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
FILE_UPLOAD_HANDLERS = [
    "search.files.uploads.LimitedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# Originals may stay where they lie below these folders only. Whoever has the embedded servers has the machine.
IN_PLACE_ROOTS = [Path(folder).expanduser() for folder in env.list("IN_PLACE_ROOTS", default=["/"] * EMBEDDED_POSTGRES)]
if not all(folder.is_absolute() for folder in IN_PLACE_ROOTS):
    raise ImproperlyConfigured("IN_PLACE_ROOTS must be folders from / or ~ on, with commas between them.")
IN_PLACE_ROOTS.append(VAR / "sample")
# Archives that visitors send lie here until they are imported.
ARRIVING_ROOT = VAR / "arriving"
MAX_ARCHIVE_BYTES = 1_000_000 * env.int("MAX_ARCHIVE_MB", default=4_000)
if MAX_ARCHIVE_BYTES <= 0:
    raise ImproperlyConfigured(f"MAX_ARCHIVE_MB must be 1 or more; it is {MAX_ARCHIVE_BYTES // 1_000_000}.")

_SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [_SELF],
        "img-src": [_SELF, "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [_SELF],
        "frame-ancestors": ["'none'"],
    }
}

# Encoders live here, one folder each.
ENCODERS_ROOT = VAR / "encoders"
# What workers embed on: "cpu", or "gpu" for Keras on a GPU, where there is one.
EMBED_ON = env.str("EMBED_ON", default="cpu").lower()
if EMBED_ON not in {"cpu", "gpu"}:
    raise ImproperlyConfigured(f"EMBED_ON must be cpu or gpu; it is {EMBED_ON!r}.")
# Up to so many rows in scope a search compares every vector; above, it uses the index.
EXACT_SEARCH_UP_TO = env.int("EXACT_SEARCH_UP_TO", default=30_000)
if EXACT_SEARCH_UP_TO < 0:
    raise ImproperlyConfigured(f"EXACT_SEARCH_UP_TO must be 0 or more; it is {EXACT_SEARCH_UP_TO}.")

# Whether people may search with the address of a picture on the web, which the server then fetches.
ALLOW_LINKS = env.bool("ALLOW_LINKS", default=False)

# What monitoring shows to read /metrics; without one, only this network and staff read it.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR; it is {LOG_LEVEL}.")
# "text" for people, "json" for what collects logs: one object a line, and one line for each request.
LOG_FORMAT = env.str("LOG_FORMAT", default="text").lower()
if LOG_FORMAT not in {"text", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT must be text or json; it is {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "search.logs.formatting.TextFormatter"},
        "json": {"()": "search.logs.formatting.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    # At INFO the libraries have too much to say.
    "root": {"handlers": ["console"], "level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL},
    "loggers": {
        "search": {"level": LOG_LEVEL},
        # By themselves they write beside the root's handler, in a form of their own.
        "django": {"handlers": []},
    },
}
