"""gunicorn in front of `wsgi:app`; PORT and WEB_CONCURRENCY are read by gunicorn itself."""

import gc

worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 25
keepalive = 75

# Codes and states travel in query strings, so requests are not logged here.
accesslog = None
errorlog = "-"
loglevel = "warning"

# A name under the home directory that every installation of the user would share.
control_socket_disable = True

# The application knows how many proxies are in front (TRUSTED_PROXIES); nothing is believed here.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}

limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190


def post_worker_init(_worker: object) -> None:
    """Keep the garbage collector off what the program is made of, which is never garbage.

    Looking through all of that takes it 110 ms, in which no thread answers.
    """
    gc.collect()
    gc.freeze()
