"""Acme Scheduling: a partner application, a plain OAuth client that shows what arrived."""

from .views import blueprint

__all__ = ["blueprint"]
