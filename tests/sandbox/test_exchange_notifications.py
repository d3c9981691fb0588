"""News from the sandbox's Exchange: asked for, streamed, and pushed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from lxml import etree

from sandbox.exchange.seed import ADA, GRACE, ROOM
from sandbox.exchange.state import PersonHandle
from tests.sandbox.exchange_client import NOW, Company, codes, texts

CALENDAR = (
    '<t:FolderIds><t:DistinguishedFolderId Id="calendar">{}</t:DistinguishedFolderId></t:FolderIds>'
)
TYPES = "".join(f"<t:EventType>{n}Event</t:EventType>" for n in ("Created", "Modified", "Deleted"))
INSIDE = f"{CALENDAR}<t:EventTypes>{TYPES}</t:EventTypes>"
RESULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<m:SendNotificationResult xmlns:m="http://schemas.microsoft.com/exchange/services/2006/'
    'messages"><m:SubscriptionStatus>{}</m:SubscriptionStatus></m:SendNotificationResult>'
    "</s:Body></s:Envelope>"
)


def subscribe(
    corp: Company, kind: str, more: str = "", of: str = "", **asked: str
) -> requests.Response:
    mailbox = f"<t:Mailbox><t:EmailAddress>{of}</t:EmailAddress></t:Mailbox>" if of else ""
    name = f"m:{kind}SubscriptionRequest"
    inside = INSIDE.format(mailbox) + more
    return corp.ask(f"<m:Subscribe><{name}>{inside}</{name}></m:Subscribe>", **asked)


def pull(corp: Company) -> tuple[str, str]:
    answer = subscribe(corp, "Pull", "<t:Timeout>10</t:Timeout>")
    return texts(answer, "SubscriptionId")[0], texts(answer, "Watermark")[0]


def events(corp: Company, subscription: str, mark: str, **asked: str) -> requests.Response:
    return corp.ask(
        f"<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId>"
        f"<m:Watermark>{mark}</m:Watermark></m:GetEvents>",
        **asked,
    )


def kinds(answer: requests.Response) -> list[str]:
    names = [etree.QName(one).localname for one in etree.fromstring(answer.content).iter("{*}*")]
    return [name for name in names if name.endswith("Event")]


@pytest.fixture
def ada(corp: Company) -> PersonHandle:
    return corp.state.person(ADA)


def test_events_are_pulled_by_watermark(corp: Company, ada: PersonHandle) -> None:
    subscription, mark = pull(corp)
    quiet = events(corp, subscription, mark)
    item = ada.add_event("Tea", NOW, NOW + timedelta(hours=1))
    ada.rename_event(item.number, "Coffee")
    ada.delete_event(item.number)
    corp.state.person(GRACE).add_event("Not hers", NOW, NOW + timedelta(hours=1))
    answer = events(corp, subscription, texts(quiet, "Watermark")[-1])

    assert ["StatusEvent"] == kinds(quiet)
    assert ["CreatedEvent", "ModifiedEvent", "DeletedEvent"] == kinds(answer)
    assert ["StatusEvent"] == kinds(events(corp, subscription, texts(answer, "Watermark")[-1]))


def test_many_events_come_in_parts(corp: Company, ada: PersonHandle) -> None:
    subscription, mark = pull(corp)
    for _ in range(60):
        ada.add_event("Tea", NOW, NOW + timedelta(hours=1))
    first = events(corp, subscription, mark)
    second = events(corp, subscription, texts(first, "Watermark")[-1])

    assert (["true"], ["false"]) == (texts(first, "MoreEvents"), texts(second, "MoreEvents"))
    assert (50, 10) == (len(kinds(first)), len(kinds(second)))


def test_subscription_is_its_owners_and_ends(corp: Company) -> None:
    subscription, mark = pull(corp)

    assert ["ErrorSubscriptionAccessDenied"] == codes(
        events(corp, subscription, mark, login="CORP\\grace")
    )
    assert ["ErrorInvalidWatermark"] == codes(events(corp, subscription, "AAAA"))
    assert ["ErrorSubscriptionNotFound"] == codes(events(corp, "JgBl", mark))
    corp.now += timedelta(minutes=11)
    assert ["ErrorExpiredSubscription"] == codes(events(corp, subscription, mark))
    assert ["ErrorSubscriptionNotFound"] == codes(events(corp, subscription, mark))


def test_subscription_is_ended_and_lost(corp: Company) -> None:
    subscription, mark = pull(corp)
    end = f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"
    assert ["NoError"] == codes(corp.ask(end))
    assert ["ErrorSubscriptionNotFound"] == codes(corp.ask(end))

    subscription, mark = pull(corp)
    corp.faults.set(ADA, "subscription_lost", 1)
    assert ["ErrorSubscriptionNotFound"] == codes(events(corp, subscription, mark))
    assert ["ErrorSubscriptionNotFound"] == codes(events(corp, subscription, mark))


def test_delegates_cannot_subscribe(corp: Company) -> None:
    of_room = subscribe(corp, "Pull", "<t:Timeout>10</t:Timeout>", of=ROOM)

    assert ["ErrorSubscriptionDelegateAccessNotSupported"] == codes(of_room)


def test_subscriptions_are_limited(corp: Company) -> None:
    found = [codes(subscribe(corp, "Streaming"))[0] for _ in range(21)]

    assert ["NoError"] * 20 + ["ErrorExceededSubscriptionCount"] == found


def test_streaming_is_younger_than_2010(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2010")

    assert ["ErrorSchemaValidation"] == codes(subscribe(corp, "Streaming", version="Exchange2010"))


class Stream:
    """An answer that lasts, read envelope by envelope."""

    def __init__(self, corp: Company, subscription: str, **asked: str) -> None:
        self.session = corp.session()
        self.session.stream = True
        self.answer = corp.ask(
            f"<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{subscription}"
            "</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>1</m:ConnectionTimeout>"
            "</m:GetStreamingEvents>",
            session=self.session,
            **asked,
        )
        self.chunks = self.answer.iter_content(None)
        self.buffer = b""

    def envelope(self) -> str:
        while b"</Envelope>" not in self.buffer:
            self.buffer += next(self.chunks)
        text, mark, self.buffer = self.buffer.partition(b"</Envelope>")
        return (text + mark).decode()

    def close(self) -> None:
        self.answer.close()
        self.session.close()


def test_events_are_streamed_in_whole_envelopes(corp: Company, ada: PersonHandle) -> None:
    subscription = texts(subscribe(corp, "Streaming"), "SubscriptionId")[0]
    stream = Stream(corp, subscription)
    assert "<m:ConnectionStatus>OK<" in stream.envelope()

    item = ada.add_event("Tea", NOW, NOW + timedelta(hours=1))
    assert "<t:CreatedEvent>" in stream.envelope()
    ada.delete_event(item.number)
    assert "<t:DeletedEvent>" in stream.envelope()

    corp.ask(f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>")
    assert "<m:ConnectionStatus>Closed<" in stream.envelope()
    stream.close()


def test_envelopes_are_cut_and_come_together(corp: Company, ada: PersonHandle) -> None:
    """What is one write for the server is no envelope for the client."""
    both = [texts(subscribe(corp, "Streaming"), "SubscriptionId")[0] for _ in range(2)]
    stream = Stream(corp, f"{both[0]}</t:SubscriptionId><t:SubscriptionId>{both[1]}")
    assert b"</Envelope>" not in next(stream.chunks)
    assert b"</Envelope>" in next(stream.chunks)

    ada.add_event("Tea", NOW, NOW + timedelta(hours=1))
    assert 0 == next(stream.chunks).count(b"</Envelope>")
    assert 2 == next(stream.chunks).count(b"</Envelope>")
    stream.close()


def test_streams_of_a_login_are_limited(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2013")
    subscription = texts(subscribe(corp, "Streaming"), "SubscriptionId")[0]
    streams = [Stream(corp, subscription) for _ in range(3)]
    fourth = Stream(corp, subscription)

    assert "ErrorExceededConnectionCount" in fourth.answer.text
    assert "<m:ConnectionStatus>Closed<" in fourth.answer.text
    assert "<m:ConnectionStatus>OK<" in streams[-1].envelope()
    for stream in (*streams, fourth):
        stream.close()


class Subscriber:
    """Somebody whom Exchange calls."""

    def __init__(self) -> None:
        self.status, self.said, self.came = 200, "OK", threading.Semaphore(0)
        self.bodies: list[bytes] = []
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                mine.bodies.append(self.rfile.read(length))
                body = RESULT.format(mine.said).encode()
                self.send_response(mine.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                mine.came.release()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/secret"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()
    yield made
    made.close()


def push(corp: Company, url: str) -> str:
    more = f"<t:StatusFrequency>1</t:StatusFrequency><t:URL>{url}</t:URL>"
    return texts(subscribe(corp, "Push", more), "SubscriptionId")[0]


def test_changes_are_pushed(corp: Company, ada: PersonHandle, subscriber: Subscriber) -> None:
    push(corp, subscriber.url)
    assert subscriber.came.acquire(timeout=10)
    ada.add_event("Tea", NOW, NOW + timedelta(hours=1))
    assert subscriber.came.acquire(timeout=10)

    assert b"<t:StatusEvent>" in subscriber.bodies[0]
    assert b"<t:CreatedEvent>" in subscriber.bodies[1] and b"Tea" not in subscriber.bodies[1]


def test_who_wants_no_more_is_not_called(corp: Company, subscriber: Subscriber) -> None:
    subscriber.said = "Unsubscribe"
    push(corp, subscriber.url)
    assert subscriber.came.acquire(timeout=10)
    corp.listening.pusher.deliver()

    assert {} == corp.state.world.subscriptions


def test_who_does_not_answer_is_tried_again_and_given_up(
    corp: Company, subscriber: Subscriber
) -> None:
    subscriber.status = 500
    subscription = push(corp, subscriber.url)
    assert subscriber.came.acquire(timeout=10)
    for seconds in (31, 61):
        corp.listening.pusher.deliver()
        assert subscription in corp.state.world.subscriptions
        corp.now += timedelta(seconds=seconds)
    corp.listening.pusher.deliver()
    corp.listening.pusher.deliver()

    assert {} == corp.state.world.subscriptions


def test_who_is_told_that_events_were_lost_is_forgotten(
    corp: Company, subscriber: Subscriber
) -> None:
    subscription = push(corp, subscriber.url)
    assert subscriber.came.acquire(timeout=10)
    corp.faults.set(ADA, "subscription_lost", 1)
    corp.state.person(ADA).add_event("Tea", NOW, NOW + timedelta(hours=1))
    assert subscriber.came.acquire(timeout=10)
    corp.listening.pusher.deliver()

    assert b"ErrorReadEventsFailed" in subscriber.bodies[1]
    assert f'Name="SubscriptionId">{subscription}<'.encode() in subscriber.bodies[1]
    assert {} == corp.state.world.subscriptions
