"""The operator's doctor, asked from outside through as many proxies as there are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from broker.models import db
from broker.services import doctor
from broker.services.doctor import Finding
from tests.world import World
from tests.wsgi_adapter import WsgiAdapter

PUBLIC = "https://broker.example"


class Street:
    """What stands between the world and the broker: each proxy adds where a request came from."""

    def __init__(self, proxies: int) -> None:
        self.proxies = proxies
        self.app: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self.proxies:
            environ["HTTP_X_FORWARDED_FOR"] = ", ".join(["203.0.113.9"] * self.proxies)
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer


def examine(folder: Path, *, proxies: int, **settings: Any) -> dict[str, Finding]:
    """Examine a deployment; gives the findings by part."""
    street = Street(proxies)
    world = World(
        folder,
        mounts={PUBLIC: WsgiAdapter(street)},
        public_url=PUBLIC,
        local=False,
        allowed_hosts=("broker.example",),
        **settings,
    )
    street.app = world.app
    try:
        with world.app.app_context():
            return {finding.part: finding for finding in doctor.examine(world.runtime)}
    finally:
        world.close()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_as_many_trusted_proxies_as_there_are_is_well(tmp_path: Path, count: int) -> None:
    found = examine(tmp_path, proxies=count, trusted_proxies=count)

    assert found["public address"].well
    assert found["trusted proxies"] == Finding(
        "trusted proxies", True, f"{count}, as many as there are"
    )


@pytest.mark.parametrize(
    ("proxies", "trusted", "danger"),
    [(1, 0, "everybody has the same address"), (0, 1, "anybody can pretend")],
)
def test_another_count_is_told_with_the_right_one(
    tmp_path: Path, proxies: int, trusted: int, danger: str
) -> None:
    finding = examine(tmp_path, proxies=proxies, trusted_proxies=trusted)["trusted proxies"]

    assert not finding.well
    assert danger in finding.text
    assert finding.text.endswith(f"set TRUSTED_PROXIES={proxies}")


def test_the_proxy_for_calls_out_is_named_without_its_password(tmp_path: Path) -> None:
    url = "http://user:marked-pw@proxy.internal:3128"

    found = examine(tmp_path, proxies=0, egress_proxy_url=url)

    assert found["egress proxy"].text == "calls go out through proxy.internal"


@pytest.mark.parametrize("more", [{}, {"google": None}])
def test_the_address_to_register_at_google_is_there_before_it_is_set_up(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    """Google wants it before it gives what GOOGLE_CLIENT_ID takes."""
    found = examine(tmp_path, proxies=0, **more)["google"]

    assert found.well
    assert f"{PUBLIC}/connect/google/callback" in found.text
    assert found.text.startswith("not offered" if more else "offered")


def test_what_cannot_be_known_is_not_said_to_be_wrong(world: World) -> None:
    """Whoever looks for lost keys, because the database is away, looks in the wrong place."""
    world.redis.gone = True
    with world.app.app_context():
        db.drop_all()
        found = {finding.part: finding for finding in doctor.examine(world.runtime)}

    assert "flask db upgrade" in found["database"].text
    assert "REDIS_URL" in found["redis"].text
    for part in ("keys", "worker", "clock"):
        assert found[part] == Finding(part, False, "not known: see to the database first")
    assert found.keys().isdisjoint({"redis policy", "key ring"})
