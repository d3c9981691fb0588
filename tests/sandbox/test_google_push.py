"""Watch channels of the sandbox's Google."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from sandbox.google import create_app
from sandbox.google.delivery import WAITS_S, Courier
from sandbox.google.driver import ApiUser, Visitor, connect
from sandbox.google.scopes import PREFIX

ADA, GRACE = "ada@calbroker.test", "grace@calbroker.test"
WATCH = "/calendars/primary/events/watch"
HOLIDAYS = "/calendars/en.uk%23holiday@group.v.calendar.google.com/events/watch"
CHANNEL = {
    "id": "channel-1",
    "type": "web_hook",
    "address": "http://127.0.0.1:5000/hooks/google",
    "token": "secret",
}
LUNCH = {
    "start": {"dateTime": "2026-12-01T12:00:00Z"},
    "end": {"dateTime": "2026-12-01T13:00:00Z"},
}


class Clock:
    """A time that moves when told."""

    def __init__(self):
        self.at = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def app(clock, sent):
    return create_app(now=clock, deliver=lambda address, headers: sent.append((address, headers)))


@pytest.fixture
def ada(app):
    return connect(app, ADA)


@pytest.fixture
def person(app):
    return app.extensions["google"].person(ADA)


def reason(answer):
    return answer.json["error"]["errors"][0]["reason"]


def test_watch_answers_with_the_channel_and_says_sync_first(ada, sent):
    answer = ada.call("POST", WATCH, json=CHANNEL)

    ((address, headers),) = sent
    assert 200 == answer.status_code
    assert "1795867200000" == answer.json["expiration"]
    assert CHANNEL["address"] == address
    assert {
        "X-Goog-Channel-ID": "channel-1",
        "X-Goog-Channel-Token": "secret",
        "X-Goog-Channel-Expiration": "Sat, 28 Nov 2026 12:00:00 GMT",
        "X-Goog-Resource-ID": answer.json["resourceId"],
        "X-Goog-Resource-URI": answer.json["resourceUri"],
        "X-Goog-Resource-State": "sync",
        "X-Goog-Message-Number": "1",
        "Content-Length": "0",
    } == {k: v for k, v in headers.items() if k != "User-Agent"}


def test_every_change_of_the_calendar_is_announced(ada, person, sent):
    ada.call("POST", WATCH, json=CHANNEL)
    event = person.create_event(**LUNCH)
    person.update_event(event["id"], summary="x")
    person.delete_event(event["id"])
    person.create_event("c_analytical@group.calendar.google.com", **LUNCH)

    states = [headers["X-Goog-Resource-State"] for _, headers in sent]
    numbers = [int(headers["X-Goog-Message-Number"]) for _, headers in sent]
    assert ["sync", "exists", "exists", "exists"] == states
    assert sorted(set(numbers)) == numbers
    assert list(range(1, 5)) != numbers


def test_invitation_is_announced_to_the_guest(app, sent):
    connect(app, GRACE).call("POST", WATCH, json=CHANNEL)
    app.extensions["google"].person(ADA).create_event(**LUNCH, attendees=[{"email": GRACE}])

    assert 2 == len(sent)


def test_calendar_list_can_be_watched(app, ada, person, sent):
    ada.call("POST", "/users/me/calendarList/watch", json=CHANNEL)
    person.unsubscribe(GRACE)

    assert ["sync", "exists"] == [headers["X-Goog-Resource-State"] for _, headers in sent]


def test_expired_channel_is_silent_and_its_id_free_again(ada, person, sent, clock):
    ada.call("POST", WATCH, json=CHANNEL | {"params": {"ttl": "1800"}})
    clock.at += timedelta(minutes=30)
    person.create_event(**LUNCH)

    assert 1 == len(sent)
    assert 200 == ada.call("POST", WATCH, json=CHANNEL).status_code


def test_life_is_shortened_to_thirty_days(ada):
    far = str(int(datetime(2027, 11, 21, tzinfo=UTC).timestamp() * 1000))

    answer = ada.call("POST", WATCH, json=CHANNEL | {"expiration": far})

    assert (
        str(int(datetime(2026, 12, 21, 12, tzinfo=UTC).timestamp() * 1000))
        == (answer.json["expiration"])
    )


def test_stopped_channel_is_silent(app, ada, person, sent):
    opened = ada.call("POST", WATCH, json=CHANNEL).json
    which = {"id": opened["id"], "resourceId": opened["resourceId"]}

    foreign = connect(app, GRACE).call("POST", "/channels/stop", json=which)
    stopped = ada.call("POST", "/channels/stop", json=which)
    again = ada.call("POST", "/channels/stop", json=which)
    person.create_event(**LUNCH)

    assert [404, 204, 404] == [a.status_code for a in (foreign, stopped, again)]
    assert 1 == len(sent)


def test_revoking_ends_the_channels(app, person, sent):
    visitor = Visitor(app)
    token = visitor.tokens(ADA)["access_token"]
    ApiUser(app, token).call("POST", WATCH, json=CHANNEL)
    visitor.client.post("/revoke", data={"token": token})
    person.create_event(**LUNCH)

    assert 1 == len(sent)


@pytest.mark.parametrize(
    ("path", "changes", "wanted"),
    [
        (HOLIDAYS, {}, "pushNotSupportedForRequestedResource"),
        (WATCH, {"address": "http://broker.example/hook"}, "push.webhookUrlNotHttps"),
        (WATCH, {"address": ""}, "push.webhookUrlNotHttps"),
        (WATCH, {"id": "no spaces"}, "invalid"),
        (WATCH, {"type": "carrier-pigeon"}, "invalid"),
        (WATCH, {"token": "x" * 257}, "invalid"),
        (WATCH, {"expiration": "soon"}, "invalid"),
        (WATCH, {"expiration": "1000"}, "invalid"),
    ],
)
def test_bad_watch_is_refused(ada, sent, path, changes, wanted):
    answer = ada.call("POST", path, json=CHANNEL | changes)

    assert (400, wanted) == (answer.status_code, reason(answer))
    assert [] == sent


def test_channel_id_is_unique(ada):
    ada.call("POST", WATCH, json=CHANNEL)

    assert "channelIdNotUnique" == reason(ada.call("POST", WATCH, json=CHANNEL))


def test_watching_needs_more_than_free_busy_of_own_calendars(app):
    may = connect(app, ADA, f"{PREFIX}calendar.events.freebusy")
    may_not = connect(app, ADA, f"{PREFIX}calendar.freebusy")

    assert 200 == may.call("POST", WATCH, json=CHANNEL).status_code
    assert 403 == may_not.call("POST", WATCH, json=CHANNEL | {"id": "c2"}).status_code


def test_faults_lose_and_repeat_notifications(app, ada, person, sent):
    ada.call("POST", WATCH, json=CHANNEL)
    app.extensions["faults"].set(ADA, "lost_push", 1)
    person.create_event(**LUNCH)
    assert 1 == len(sent)

    app.extensions["faults"].set(ADA, "dup_push", 1)
    person.create_event(**LUNCH)
    assert 3 == len(sent)


class Receiver:
    """Answers notifications as it is told, and remembers the waits between them."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.waits = []

    def __call__(self, address, headers):
        answer = self.statuses.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def later(self, wait_s, do):
        self.waits.append(wait_s)
        do()


def deliver_to(receiver):
    Courier(receiver, receiver.later).attempt(CHANNEL["address"], {})


@pytest.mark.parametrize("answer", [500, 502, 503, 504, requests.ReadTimeout()])
def test_what_a_receiver_could_not_take_is_sent_again(answer):
    receiver = Receiver(answer, answer, 200, 200)

    deliver_to(receiver)

    assert receiver.statuses == [200]
    assert receiver.waits == [1, 2]


@pytest.mark.parametrize("answer", [200, 204, 302, 404, 429, requests.ConnectionError()])
def test_what_was_taken_or_refused_is_sent_once(answer):
    receiver = Receiver(answer, 200)

    deliver_to(receiver)

    assert receiver.statuses == [200]
    assert not receiver.waits


def test_a_receiver_that_stays_away_is_given_up():
    receiver = Receiver(*[503] * 9)

    deliver_to(receiver)

    assert receiver.waits == list(WAITS_S)
    assert len(receiver.statuses) == 9 - 1 - len(WAITS_S)
