"""Tables, by noun. Models hold no logic and never commit."""

from broker.models.account import Account, Profile
from broker.models.application import Application, ApplicationSecret, RedirectUri
from broker.models.audit import AuditEntry, KeyCanary
from broker.models.base import Base, at_once, db, install, reading, snapshot, transaction
from broker.models.calendar import Calendar, Event, Occurrence
from broker.models.connection import Connection, Revocation, Subscription
from broker.models.learned import HostAuthority, LearnedServer
from broker.models.oauth import AccessToken, AuthorizationCode, ConnectAttempt, Grant, RefreshToken
from broker.models.task import Heartbeat, Task
from broker.models.trouble import Diagnosis, LoginRefusal

__all__ = [
    "AccessToken",
    "Account",
    "Application",
    "ApplicationSecret",
    "AuditEntry",
    "AuthorizationCode",
    "Base",
    "Calendar",
    "ConnectAttempt",
    "Connection",
    "Diagnosis",
    "Event",
    "Grant",
    "Heartbeat",
    "HostAuthority",
    "KeyCanary",
    "LearnedServer",
    "LoginRefusal",
    "Occurrence",
    "Profile",
    "RedirectUri",
    "RefreshToken",
    "Revocation",
    "Subscription",
    "Task",
    "at_once",
    "db",
    "install",
    "reading",
    "snapshot",
    "transaction",
]
