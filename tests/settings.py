"""The site's settings on a place of their own, which is removed when the tests are through."""

import os
import tempfile

# Programs that the tests start find the same place; of several processes that run tests, each has its own.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["IMGSIM_TEST_VAR"] = tempfile.mkdtemp(prefix="imgsim-test-")
os.environ["IMGSIM_VAR"] = os.environ.setdefault("IMGSIM_TEST_VAR", tempfile.mkdtemp(prefix="imgsim-test-"))
_OWN = (
    "DATABASE_URL REDIS_URL SECRET_KEY DEBUG BEHIND_TLS DB_POOL EXACT_SEARCH_UP_TO ALLOW_LINKS MAX_ARCHIVE_MB "
    "IN_PLACE_ROOTS METRICS_TOKEN LOG_FORMAT STORAGE_URL PROXIES"
)
for name in _OWN.split():
    os.environ.pop(name, None)

from imgsim_site.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 -- whitenoise warns where it is missing
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
RATE_LIMITS = {}  # those that count visitors set their own
