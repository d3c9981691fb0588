"""Real processes: embedded Valkey, RQ workers, the clock, gunicorn and the sandbox."""
