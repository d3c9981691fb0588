"""Every reason code that our code can give has words on the pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import errors, transport_failures
from broker.errors import BrokerError, ProviderError, UserError
from broker.providers import REGISTRY
from broker.providers._google_oauth import reason_code
from broker.providers.caldav_services import OTHER_WAYS
from broker.services import reasons
from broker.services.connect_reasons import reason_of
from broker.services.findings import StepName, failed_step
from broker.web.words import REASONS

BROKER = Path(__file__).parents[2] / "broker"
# Answered to applications as JSON, where the code itself is the word.
OF_THE_API = {"event_not_editable", "event_refused"}
# A code that comes from elsewhere: `other_way` gives it, or another error has it already.
PASSED_ON = {
    "reasons.py: code",
    "search.py: code",
    "verdict.py: code",
    "_caldav_discovery.py: code",
    "_caldav_search.py: code",
    "caldav.py: error.code",
    "_google_oauth.py: _DENIED[error]",
}
GOOGLE_SAYS = (
    "access_denied", "admin_policy_enforced", "org_internal", "disallowed_useragent",
    "access_not_configured", "server_error", "temporarily_unavailable", "invalid_scope", "x",
)  # fmt: skip


def kinds(root: type[BrokerError]) -> Iterator[type[BrokerError]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


PROVIDER_ERRORS = list(dict.fromkeys(kinds(ProviderError)))
# The first names a host; `web/connect.py` turns what the second says into codes of its own.
OTHERS = {"HostUnconfirmed", "BadClient"}
USER_ERRORS = {kind.__name__ for kind in kinds(UserError)} - OTHERS


def raised() -> Iterator[tuple[str, str]]:
    """Give every code that a UserError is made with, and where; `?` for what is no constant."""
    for path in BROKER.rglob("*.py"):
        # What no page offers yet needs no words yet.
        if "exchange" not in REGISTRY and "_ews" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name not in USER_ERRORS | {"pages.problem"} or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value), f"{path.name}:{node.lineno}"
            elif name != "pages.problem":
                yield "?", f"{path.name}: {ast.unparse(first)}"


def shown() -> Iterator[str]:
    """Give every code of a notice on a form."""
    for path in (BROKER / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "notice":
                yield from (c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant)
                            and isinstance(c.value, str))  # fmt: skip


def test_codes_of_errors_have_words() -> None:
    missing = {
        f"{code} at {where}"
        for code, where in raised()
        if code != "?" and code not in REASONS and code not in OF_THE_API
    }

    assert not missing


def test_codes_that_are_no_constants_come_from_known_places() -> None:
    assert {where for code, where in raised() if code == "?"} <= PASSED_ON
    assert {way.code for way in OTHER_WAYS} | {"host_unconfirmed"} <= REASONS.keys()


def test_notices_have_words() -> None:
    assert set(shown()) <= REASONS.keys()


DETAILS = [
    "", "calendar_service_off", "domain_policy", "redirect loop", "too slow", "body too large",
    *(value for name, value in vars(transport_failures).items()
      if name.isupper() and isinstance(value, str)),
]  # fmt: skip


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("provider", ["google", "apple", "caldav", "exchange"])
@pytest.mark.parametrize("operation", ["discover", "calendars"])
@pytest.mark.parametrize("kind", PROVIDER_ERRORS)
def test_errors_of_providers_have_words_and_a_step(
    kind: type[ProviderError], operation: str, provider: str, typed: bool
) -> None:
    for detail in DETAILS:
        error = kind(provider, operation, detail=detail)

        assert reason_of(error, typed=typed) in REASONS
        assert failed_step([], error) in StepName


def test_whatever_google_says_has_words() -> None:
    assert {reason_code(said) for said in GOOGLE_SAYS} <= REASONS.keys()


def test_every_other_error_of_ours_has_words() -> None:
    for kind in kinds(BrokerError):
        if not issubclass(kind, UserError | ProviderError):
            error = kind.__new__(kind)
            assert reason_of(error, typed=True) in REASONS


def test_every_field_that_words_name_is_one() -> None:
    fields = {"url", "email", "username", "password", "app_code"}

    assert {words.field for words in REASONS.values()} - {""} <= fields


@pytest.mark.parametrize("kind", PROVIDER_ERRORS)
def test_why_a_connection_is_not_well_has_its_own_sentence(kind: type[ProviderError]) -> None:
    never_shown = {"provider_error", "cursor_expired"}

    assert kind.reason in never_shown or kind.reason in reasons.SENTENCES
    assert kind.reason in reasons.SENTENCES or kind in {
        errors.ProviderError,
        errors.CursorExpired,
    }


def test_a_command_waits_for_the_page_that_knows_the_host() -> None:
    """Words are the same for every host; a command with gaps is copied with its gaps."""
    assert not [code for code, words in REASONS.items() if "flask " in words.it]
