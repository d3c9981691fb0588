"""Settings: the environment is read once, and every problem is told at once (security.md D4)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from broker.environment import database_url, is_loopback
from broker.errors import ConfigError
from broker.ids import new_key
from broker.settings import GOOGLE_ENDPOINTS, Settings


def key() -> str:
    """Make a key as `flask keys new` prints it."""
    return base64.urlsafe_b64encode(new_key()).decode().rstrip("=")


LOCAL = {"CALBROKER_LOCAL": "1", "PUBLIC_URL": "http://127.0.0.1:5000"}


@pytest.fixture
def env() -> dict[str, str]:
    """An environment that is right."""
    return {
        "PUBLIC_URL": "https://broker.example",
        "DATABASE_URL": "postgres://u:p@db/calbroker",
        "REDIS_URL": "redis://redis:6379/0",
        "SECRET_KEY": key(),
        "DIGEST_KEY": key(),
        "KEY_RING": f"k1:{key()}",
    }


def problems(env: dict[str, str]) -> tuple[str, ...]:
    """Give what is wrong with an environment."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(env)
    return caught.value.problems


def test_a_right_environment_is_read(env: dict[str, str]) -> None:
    settings = Settings.from_env(env)

    assert settings.public_url == "https://broker.example"
    assert settings.secure
    assert not settings.local
    assert settings.google is None
    assert settings.database_url == "postgresql+psycopg://u:p@db/calbroker"
    assert list(settings.key_ring) == ["k1"]
    assert (settings.poll_seconds, settings.retention_days, settings.trusted_proxies) == (
        300,
        30,
        0,
    )


def test_everything_that_is_missing_is_told_at_once() -> None:
    found = problems({})

    for name in ("PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DIGEST_KEY", "KEY_RING"):
        assert any(text.startswith(name) for text in found), name
    assert sum("flask keys new" in text for text in found) == 3


@pytest.mark.parametrize("name", ["SECRET_KEY", "DIGEST_KEY"])
@pytest.mark.parametrize(
    "value",
    ["short", "changeme" * 6, "A" * 43, "not base64 at all!", base64.b64encode(b"x" * 31).decode()],
)
def test_a_short_or_example_key_is_refused_in_every_mode(
    env: dict[str, str], name: str, value: str
) -> None:
    """D4: there is no fallback key."""
    local = {"CALBROKER_LOCAL": "1", "PUBLIC_URL": "http://127.0.0.1:5000"}

    for more in ({}, local):
        found = problems(env | {name: value} | more)
        assert any(text.startswith(name) and "flask keys new" in text for text in found)
        assert value not in "".join(found)


@pytest.mark.parametrize(
    "value",
    ["", "k1", "k1:short", ":x", "k-1:x", "a" * 17 + ":x", "same:{key} same:{other}"],
)
def test_a_ring_that_is_not_one_is_refused(env: dict[str, str], value: str) -> None:
    entries = value.replace("{key}", key()).replace("{other}", key())

    assert any("KEY_RING" in text for text in problems(env | {"KEY_RING": entries}))


def test_the_first_key_of_the_ring_is_the_current_one(env: dict[str, str]) -> None:
    settings = Settings.from_env(env | {"KEY_RING": f"new:{key()}, old:{key()}"})

    assert list(settings.key_ring) == ["new", "old"]


@pytest.mark.parametrize(
    "url",
    [
        "http://broker.example",
        "broker.example",
        "https://broker.example/path",
        "https://broker.example?x",
        "https://broker.example:99999",
        "https://bröker.example",
        "https://bro ker.example",
        "https://broker.example\n.evil.example",
        "javascript:alert(1)",
        "https://user@broker.example",
        "https://[broken",
        "https://",
        "ftp://broker.example",
    ],
)
def test_a_public_url_that_is_none_is_refused(env: dict[str, str], url: str) -> None:
    assert any(text.startswith("PUBLIC_URL") for text in problems(env | {"PUBLIC_URL": url}))


@pytest.mark.parametrize(
    "url",
    [
        "https://Broker.Example",
        "https://broker.example/",
        "https://broker.example:443",
        "https://broker.example:",
        " https://broker.example ",
    ],
)
def test_a_public_url_is_written_one_way(env: dict[str, str], url: str) -> None:
    """E3: it is compared with the Host header, which browsers send in this form."""
    assert Settings.from_env(env | {"PUBLIC_URL": url}).public_url == "https://broker.example"


def test_a_port_of_ones_own_stays(env: dict[str, str]) -> None:
    settings = Settings.from_env(env | {"PUBLIC_URL": "https://broker.example:8443"})

    assert settings.public_url == "https://broker.example:8443"


def test_local_mode_works_on_this_machine_only(env: dict[str, str]) -> None:
    local = {"CALBROKER_LOCAL": "1"}

    assert any("CALBROKER_LOCAL" in text for text in problems(env | local))
    for host in ("127.0.0.1:5000", "localhost:5000", "[::1]:5000"):
        assert Settings.from_env(env | local | {"PUBLIC_URL": f"http://{host}"}).local


def test_half_a_google_client_is_refused(env: dict[str, str]) -> None:
    for name in ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"):
        assert any("set both" in text for text in problems(env | {name: "x"}))


def test_google_is_where_it_is_unless_told_otherwise(env: dict[str, str]) -> None:
    client = {"GOOGLE_CLIENT_ID": "id", "GOOGLE_CLIENT_SECRET": "marked-secret"}
    elsewhere = {"GOOGLE_TOKEN_URL": "http://127.0.0.1:5050/token"}

    google = Settings.from_env(env | LOCAL | client | elsewhere).google

    assert google is not None
    assert google.endpoints == GOOGLE_ENDPOINTS | {"token": "http://127.0.0.1:5050/token"}
    assert "marked-secret" not in repr(google)
    for url in ("http://127.0.0.1:5050/token", "javascript:alert(1)", "https://u:p@x", "google"):
        assert any(
            text.startswith("GOOGLE_TOKEN_URL")
            for text in problems(env | client | {"GOOGLE_TOKEN_URL": url})
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "garbage"),
        ("DATABASE_URL", "mysql://u:marked-pw@h/d"),
        ("DATABASE_URL", "postgres://u:marked-pw@h:port/d"),
        ("DATABASE_URL", "postgres://u:marked-pw@[h/d"),
        ("DATABASE_URL", "sqlite:////no/such/folder/x.db"),
        ("DATABASE_URL", "https://h/d"),
        ("REDIS_URL", "garbage"),
        ("REDIS_URL", "redis:6379"),
        ("REDIS_URL", "http://:marked-pw@redis:6379"),
        ("REDIS_URL", "redis://:marked-pw@redis:port"),
        ("REDIS_URL", "redis://:marked-pw@red is"),
        ("REDIS_URL", "unix://relative.sock"),
        ("TERMS_URL", "javascript:alert(1)"),
        ("TERMS_URL", "/terms"),
        ("PRIVACY_URL", "privacy.example"),
        ("PRIVACY_URL", "data:text/html,x"),
        ("PRIVACY_URL", "mailto:dpo@example.org"),
        ("SUPPORT_URL", "mailto:nobody"),
        ("SUPPORT_URL", "https://[broken"),
        ("OUTGOING_ADDRESSES", "broker.example"),
        ("OUTGOING_ADDRESSES", "203.0.113.7:443"),
        ("ALLOWED_HOSTS", "https://dav.internal/"),
        ("ALLOWED_HOSTS", "10.0.0.0/99"),
        ("ALLOWED_HOSTS", "ok.internal *.internal"),
        ("ALLOWED_HOSTS", "dav.internal:8443"),
        ("EGRESS_PROXY_URL", "proxy:3128"),
        ("EGRESS_PROXY_URL", "socks5://u:marked-pw@proxy:1080"),
        ("EGRESS_PROXY_URL", "http://u:marked-pw@proxy:port"),
        ("TRUSTED_PROXIES", "one"),
        ("TRUSTED_PROXIES", "11"),
        ("POLL_SECONDS", "9" * 30),
        ("EXCHANGE_PUSH", "on"),
        ("LISTEN_STREAMS", "1001"),
        ("RETENTION_DAYS", "9" * 5000),
        ("REQUESTS_PER_SECOND", "0"),
        ("APPLE_PASSWORD_SHAPE", "yes"),
        ("CALBROKER_LOCAL", "true"),
    ],
)
def test_each_wrong_setting_is_one_sentence_that_names_it(
    env: dict[str, str], name: str, value: str
) -> None:
    (text,) = problems(env | {name: value})

    assert text.startswith(name)
    assert "marked-pw" not in text
    assert len(text) < 200


def test_addresses_of_every_right_kind_are_taken(env: dict[str, str], tmp_path: Path) -> None:
    right = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
        "REDIS_URL": "unix:///run/redis.sock?db=1",
        "TERMS_URL": "https://example.org/terms?v=1#top",
        "PRIVACY_URL": "http://example.org",
        "SUPPORT_URL": "mailto:help@example.org",
        "ALLOWED_HOSTS": "dav.internal, localhost 10.0.0.0/8 fd00::/8 192.168.1.7",
        "OUTGOING_ADDRESSES": "203.0.113.7, 203.0.113.16/28 2001:db8::/48",
        "EGRESS_PROXY_URL": "http://u:p@proxy.internal:3128",
    }

    settings = Settings.from_env(env | right)

    assert settings.support_url == right["SUPPORT_URL"]
    assert settings.egress_proxy_url == right["EGRESS_PROXY_URL"]
    assert len(settings.allowed_hosts) == 5
    for url in ("rediss://:p@redis.example:6380/0", "redis://[::1]:6379", "redis://localhost"):
        assert Settings.from_env(env | {"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "10", "²"])
def test_numbers_are_whole_and_large_enough(env: dict[str, str], value: str) -> None:
    assert any(text.startswith("POLL_SECONDS") for text in problems(env | {"POLL_SECONDS": value}))


def test_a_file_that_is_not_there_is_told(env: dict[str, str], tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")

    for place in (tmp_path / "ca.pem", tmp_path, garbage, "\x00"):
        (text,) = problems(env | {"EXTRA_CA_FILE": str(place)})
        assert text.startswith("EXTRA_CA_FILE")


def test_the_sandboxs_authority_may_be_made_later(env: dict[str, str], tmp_path: Path) -> None:
    local = env | {"CALBROKER_LOCAL": "1", "PUBLIC_URL": "http://127.0.0.1:5000"}
    place = tmp_path / "sandbox-ca.pem"

    assert Settings.from_env(local | {"EXTRA_CA_FILE": str(place)}).extra_ca_file == place
    place.write_text("no certificate")
    assert problems(local | {"EXTRA_CA_FILE": str(place)})


def test_detours_are_for_this_machine_in_local_mode(env: dict[str, str]) -> None:
    local = env | {"CALBROKER_LOCAL": "1", "PUBLIC_URL": "http://127.0.0.1:5000"}
    found = Settings.from_env(local | {"DETOURS": "Corp.example=127.0.0.1:5053"}).detours
    assert found == {"corp.example": ("127.0.0.1", 5053)}
    (text,) = problems(env | {"DETOURS": "corp.example=127.0.0.1:5053"})
    assert "local mode" in text
    for wrong in ("corp.example", "a=10.0.0.1:1", "a=127.0.0.1", "a=127.0.0.1:0", "=127.0.0.1:1"):
        (text,) = problems(local | {"DETOURS": wrong})
        assert text.startswith("DETOURS")


def test_hosts_are_read_with_commas_or_blanks(env: dict[str, str]) -> None:
    settings = Settings.from_env(env | {"ALLOWED_HOSTS": "dav.internal, 10.0.0.0/8"})

    assert settings.allowed_hosts == ("dav.internal", "10.0.0.0/8")


def test_a_problem_never_repeats_a_secret(env: dict[str, str]) -> None:
    broken = env | {"PUBLIC_URL": "http://x", "SECRET_KEY": env["SECRET_KEY"][:-4]}

    text = "".join(problems(broken))

    assert env["SECRET_KEY"][:-4] not in text
    assert "u:p@db" not in repr(Settings.from_env(env))


def test_databases_by_any_name() -> None:
    for prefix in ("postgres://", "postgresql://"):
        assert database_url(prefix + "h/d") == "postgresql+psycopg://h/d"
    assert database_url("sqlite:///x.db") == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_this_machine_is_known(host: str | None, is_local: bool) -> None:
    assert is_loopback(host) is is_local
