"""Exchange's streams: one answer, many envelopes, cut anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from broker.clock import FixedClock, SystemClock
from broker.errors import (
    AuthorizationLost,
    BrokerError,
    ConfigurationRefused,
    ProtocolError,
    ProviderUnavailable,
    RateLimited,
)
from broker.http import Http
from broker.line import Line
from broker.providers._ews.stream import SHORTEST, envelopes
from broker.providers.base import ListeningProvider
from broker.providers.caldav import CalDav
from broker.providers.exchange import Exchange
from sandbox.exchange import ids
from sandbox.exchange.seed import ADA
from tests.providers.ews_mailbox import NOW, Mailbox
from tests.providers.ews_samples import answer, error, fault, message
from tests.providers.exchange_remote import ExchangeRemote

SOON = NOW + timedelta(days=1)
SILENCE = timedelta(seconds=20)
OWN = "AAA="
ELSE = "BBB="
OK = "<m:ConnectionStatus>OK</m:ConnectionStatus>"
CLOSED = "<m:ConnectionStatus>Closed</m:ConnectionStatus>"


def said(content: str, code: str = "NoError", kind: str = "Success") -> bytes:
    """Write one envelope of a stream; it has no declaration."""
    whole = answer("GetStreamingEvents", message("GetStreamingEvents", content, code, kind))
    return whole[whole.index(b"?>") + 2 :]


def change(folder: str) -> bytes:
    inside = '<t:SubscriptionId>S1</t:SubscriptionId><t:ModifiedEvent><t:ItemId Id="I="/>'
    event = f'{inside}<t:ParentFolderId Id="{folder}"/></t:ModifiedEvent>'
    return said(f"<m:Notifications><m:Notification>{event}</m:Notification></m:Notifications>")


class Ear:
    """Remembers what was heard, and can be waited at."""

    def __init__(self) -> None:
        self.all: list[frozenset[str]] = []
        self.news: Queue[frozenset[str]] = Queue()

    def __call__(self, calendar_ids: Collection[str]) -> None:
        self.all.append(frozenset(calendar_ids))
        if calendar_ids:
            self.news.put(frozenset(calendar_ids))


class Listening:
    """Somebody who listens to the stand-in, in a thread."""

    def __init__(self, remote: ExchangeRemote, *calendars: str, **login: str) -> None:
        self.ear, self.line = Ear(), Line(SILENCE)
        self.error: BrokerError | None = None
        self._provider = Exchange(remote.http(), remote.clock)
        self._client = self._provider.client(remote.credential(**login))
        self._calendars = calendars
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._provider.listen(self._client, self._calendars, self.ear, self.line)
        except BrokerError as error:
            self.error = error

    def heard(self) -> frozenset[str]:
        """Wait for the next news."""
        try:
            return self.ear.news.get(timeout=10)
        except Empty:
            raise AssertionError(f"nothing was heard, and the end was {self.error!r}") from None

    def ended(self) -> BrokerError | None:
        """Wait for the end; gives the error it came with."""
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.error


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[ExchangeRemote]:
    made = ExchangeRemote(tmp_path, SystemClock())
    yield made
    made.close()


def test_exchange_can_be_listened_to_and_others_cannot() -> None:
    clock = FixedClock(NOW)

    assert isinstance(Exchange(Http(clock), clock), ListeningProvider)
    assert not isinstance(CalDav(Http(clock), clock), ListeningProvider)


def test_changes_are_heard_as_they_happen_and_cutting_ends_it(remote: ExchangeRemote) -> None:
    listening = Listening(remote, remote.calendar_id)

    assert listening.heard() == {remote.calendar_id}  # before it began, who knows
    event = remote.add_event("Tea", SOON, SOON + timedelta(hours=1))
    assert listening.heard() == {remote.calendar_id}
    remote.move_event(event, SOON, SOON + timedelta(hours=2))
    assert listening.heard() == {remote.calendar_id}
    remote.delete_event(event)
    assert listening.heard() == {remote.calendar_id}

    listening.line.cut()
    assert listening.ended() is None


def test_one_login_has_one_hanging_connection_for_all_its_calendars(remote: ExchangeRemote) -> None:
    default = ids.written(ids.Id("folder", remote.ada.calendar().number))
    listening = Listening(remote, remote.calendar_id, default)

    assert listening.heard() == {remote.calendar_id, default}
    remote.ada.add_event("Tea", SOON, SOON + timedelta(hours=1))
    assert listening.heard() == {default}
    assert list(remote.state.streams.values()) == [1]
    assert len(remote.state.world.subscriptions) == 1
    listening.line.cut()
    assert listening.ended() is None


def test_a_lost_subscription_is_made_anew_and_everything_is_told(remote: ExchangeRemote) -> None:
    listening = Listening(remote, remote.calendar_id)
    listening.heard()
    remote.add_event("Tea", SOON, SOON + timedelta(hours=1))
    listening.heard()
    remote.faults.set(ADA, "subscription_lost", 1)

    assert listening.heard() == {remote.calendar_id}
    assert "Subscribe" in remote.operations()[-2:]
    remote.add_event("Cake", SOON, SOON + timedelta(hours=1))
    assert listening.heard() == {remote.calendar_id}
    listening.line.cut()
    assert listening.ended() is None


def test_a_cut_stream_is_an_outage(remote: ExchangeRemote) -> None:
    listening = Listening(remote, remote.calendar_id)
    listening.heard()
    remote.faults.set(ADA, "stream_cut", 1)

    assert isinstance(listening.ended(), ProviderUnavailable)


def test_a_refused_password_is_sent_once(remote: ExchangeRemote) -> None:
    listening = Listening(remote, remote.calendar_id, password="wrong")

    error = listening.ended()

    assert isinstance(error, AuthorizationLost) and error.status == 401
    assert remote.ada.person.bad_logons == 1


def test_no_more_lines_than_a_mailbox_may_have(remote: ExchangeRemote) -> None:
    remote.faults.set(None, "version", style="Exchange2013")
    held = [Listening(remote, remote.calendar_id) for _ in range(3)]
    for one in held:
        one.heard()
        remote.add_event("Tea", SOON, SOON + timedelta(hours=1))
        one.heard()

    fourth = Listening(remote, remote.calendar_id).ended()

    assert isinstance(fourth, RateLimited)
    assert fourth.retry_after is None
    for one in held:
        one.line.cut()
        one.ended()


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010"])
def test_servers_that_are_too_old_are_polled(remote: ExchangeRemote, version: str) -> None:
    remote.faults.set(None, "version", style=version)

    assert isinstance(Listening(remote, remote.calendar_id).ended(), ConfigurationRefused)


def test_a_line_that_was_cut_before_it_began_says_nothing(remote: ExchangeRemote) -> None:
    line, ear = Line(SILENCE), Ear()
    line.cut()
    provider = Exchange(remote.http(), remote.clock)

    provider.listen(provider.client(remote.credential()), [remote.calendar_id], ear, line)

    assert ear.all == []


# -- prepared answers


def follow(*bodies: bytes | Response, lasts: float = 600) -> tuple[Ear, BrokerError, list[str]]:
    """Listen to prepared answers, until an error ends it."""
    clock = FixedClock(NOW)
    left = list(bodies)

    def stream(_: bytes) -> bytes | Response:
        clock.advance(seconds=lasts)
        return left.pop(0)

    granted = answer("Subscribe", message("Subscribe", "<m:SubscriptionId>S1</m:SubscriptionId>"))
    mailbox = Mailbox(instead={"Subscribe": lambda _: granted, "GetStreamingEvents": stream})
    provider, ear = Exchange(Http(clock), clock), Ear()
    with pytest.raises(BrokerError) as caught:
        provider.listen(mailbox.client(clock), (OWN, ELSE), ear, Line(SILENCE))
    return ear, caught.value, mailbox.names()


EVERYTHING = frozenset({OWN, ELSE})
LOST = said(CLOSED, "ErrorSubscriptionNotFound", "Error")


def test_each_change_is_told_with_its_calendar() -> None:
    ear, _, _ = follow(said(OK) + change(OWN) + change(ELSE) + said(OK))

    assert ear.all == [EVERYTHING, frozenset(), {OWN}, {ELSE}, frozenset()]


def test_a_change_in_a_folder_that_is_named_otherwise_is_told_of_all() -> None:
    ear, _, _ = follow(change("CCC="))

    assert ear.all == [EVERYTHING, EVERYTHING]


def test_after_its_time_it_is_asked_for_again_without_a_gap() -> None:
    ear, _, names = follow(said(OK) + said(CLOSED), change(OWN) + said(CLOSED), b"")

    assert names == ["Subscribe", *["GetStreamingEvents"] * 3]
    assert list(ear.news.queue) == [EVERYTHING, {OWN}]


@pytest.mark.parametrize("lost", [LOST, Response(fault("ErrorInvalidSubscription"), 500)])
def test_a_subscription_that_worked_and_is_lost_is_made_anew(lost: bytes | Response) -> None:
    _, error, names = follow(said(OK) + said(CLOSED), lost, LOST)

    assert names.count("Subscribe") == 2
    assert "subscription not kept" in str(error)


def test_a_subscription_that_is_never_known_is_not_asked_for_for_ever() -> None:
    """A load balancer that spreads requests over servers."""
    _, error, names = follow(LOST)

    assert isinstance(error, ProviderUnavailable)
    assert names == ["Subscribe", "GetStreamingEvents"]


def test_a_stream_that_always_ends_at_once_is_not_asked_for_for_ever() -> None:
    soon = SHORTEST.total_seconds() - 1
    _, error, names = follow(said(OK) + said(CLOSED), lasts=soon)

    assert isinstance(error, ProviderUnavailable)
    assert names.count("GetStreamingEvents") == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ProviderUnavailable),
        (said(OK), ProviderUnavailable),
        (said(OK)[:-10], ProviderUnavailable),
        (b"<html>Sign in</html>", ProviderUnavailable),
        (b"</Envelope>", ProtocolError),
        (b"<a></Envelope>", ProtocolError),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + said(OK), ProtocolError),
        (b"<x>" + b" " * 2_000_000, ProtocolError),
        (said(CLOSED, "ErrorServerBusy", "Error"), RateLimited),
        (said(CLOSED, "ErrorAccessDenied", "Error"), BrokerError),
        (said(CLOSED, "ErrorNobodyKnows", "Error"), ProtocolError),
        (Response(status=302, headers={"Location": "/owa/"}), ProviderUnavailable),
        (Response(status=503), RateLimited),
        (Response(fault("ErrorServerBusy", back_off="5000"), 500), RateLimited),
        (error("GetStreamingEvents", "ErrorExceededConnectionCount"), RateLimited),
    ],
)
def test_bad_days_end_it_with_an_error_that_says_so(
    body: bytes | Response, kind: type[BrokerError]
) -> None:
    _, found, _ = follow(body)

    assert isinstance(found, kind)


NAMES = st.from_regex(r"([A-Za-z_][A-Za-z0-9_.-]{0,9}:)?Envelope", fullmatch=True)
INSIDE = st.sampled_from(
    [
        "",
        "<Body/>",
        "</Body>",
        "Envelope",
        "</Env",
        "<Envelopes></Envelopes>",
        "é😀",
        "&lt;/Envelope>",
    ]
)
SPACE = st.sampled_from(["", " ", "\r\n", "\n\t"])


@given(
    st.lists(st.tuples(SPACE, NAMES, INSIDE, SPACE), max_size=6),
    st.lists(st.integers(0, 400), max_size=12),
    INSIDE,
)
def test_envelopes_are_whole_wherever_the_body_is_cut(
    said: list[tuple[str, str, str, str]], cuts: list[int], left: str
) -> None:
    whole = [f"<{name}>{inside}</{name}{end}>".encode() for _, name, inside, end in said]
    spaced = [space.encode() + one for (space, *_), one in zip(said, whole, strict=True)]
    # What is no envelope yet when the connection ends is nothing that was said.
    body = b"".join(spaced) + left.encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = (body[a:b] for a, b in pairwise(places))

    assert whole == list(envelopes(chunks))


def test_an_envelope_without_end_is_not_waited_for() -> None:
    dripping = (b"<Envelope>" + b"x" * 999 for _ in range(10_000))
    with pytest.raises(ProtocolError):
        list(envelopes(dripping))
