"""What counts as an app-specific password, however it was copied."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.providers.apple_password import normalise

GOOD = "abcd-efgh-ijkl-mnop"
LETTERS = st.text(string.ascii_lowercase, min_size=16, max_size=16)
NOISE = st.sampled_from(
    ["", " ", "\u00a0", "\u202f", "\t", "\r\n", "\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad"]
)
DASH = st.sampled_from("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")


@pytest.mark.parametrize(
    "typed",
    [
        GOOD,
        "abcdefghijklmnop",
        "ABCD-EFGH-IJKL-MNOP",
        "Abcd-efgh-ijkl-mnop",
        "  abcd-efgh-ijkl-mnop\n",
        "abcd efgh ijkl mnop",
        "abcd - efgh - ijkl - mnop",
        "abcd\u2013efgh\u2014ijkl\u2212mnop",
        "abcd\u2011efgh\u2011ijkl\u2011mnop",
        "\ufeffabcd-efgh-\u200bijkl-mnop",
        "abcd-efgh-\r\nijkl-mnop",
        "\uff41bcd-efgh-ijkl-mnop",
        "abcd\ufe63efgh\ufe58ijkl\uff0dmnop",
    ],
)
def test_good_ones_are_recognised(typed: str) -> None:
    assert GOOD == normalise(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "hunter2",
        "Correct-Horse-1",
        "abcd-efgh-ijkl",
        "abcd-efgh-ijkl-mno",
        "abcd-efgh-ijkl-mnopq",
        "abcdefghijklmnopq",
        "abc-defgh-ijkl-mnop",
        "abcd--efgh-ijkl-mnop",
        "-abcd-efgh-ijkl-mnop",
        "abcd-efgh-ijkl-mnop-",
        "abcd-efghijklmnop",
        "abcd-efgh-ijkl-mn0p",
        "abcd.efgh.ijkl.mnop",
        "abcd_efgh_ijkl_mnop",
        "\u0430bcd-efgh-ijkl-mnop",
        "\u00e4bcd-efgh-ijkl-mnop",
        "abcd-efgh-ijkl-mnop" * 20,
    ],
)
def test_others_are_not(typed: str) -> None:
    assert normalise(typed) is None


@given(LETTERS, st.lists(NOISE, min_size=17, max_size=17), DASH, st.booleans(), st.booleans())
def test_copying_changes_nothing(
    letters: str, noise: list[str], dash: str, dashed: bool, capitals: bool
) -> None:
    typed = noise[16]
    for at, letter in enumerate(letters):
        typed += (dash if dashed and at and at % 4 == 0 else "") + letter + noise[at]

    found = normalise(typed.upper() if capitals else typed)

    assert "-".join(letters[at : at + 4] for at in range(0, 16, 4)) == found


@given(st.text(max_size=60))
def test_result_has_the_shape_or_is_none(typed: str) -> None:
    found = normalise(typed)

    if found is not None:
        assert found == normalise(found)
        assert 19 == len(found) and found.replace("-", "").isascii()
        plain = unicodedata.normalize("NFKC", typed).lower()
        assert [c for c in found if c != "-"] == [c for c in plain if c in string.ascii_lowercase]
