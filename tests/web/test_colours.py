"""Colours: those of an application that we refuse, and our own, measured."""

from __future__ import annotations

import re

import pytest

from broker.web.colours import CARDS, INKS, Accent, accent, contrast
from broker.web.pages import App
from tests.browser.showcase import ROOT
from tests.web.rendering import asked, link

STYLE = (ROOT / "static" / "style.css").read_text(encoding="utf-8")
TEXT_PAIRS = [
    (ink, ground)
    for ink in ("ink", "muted", "link", "good", "bad", "warn")
    for ground in ("paper", "card")
] + [("ink", "tint"), ("muted", "tint"), ("ink", "warn-tint"), ("link", "warn-tint")]
CONTROL_PAIRS = [
    (control, ground) for control in ("edge", "accent", "link") for ground in ("paper", "card")
] + [("warn", "warn-tint"), ("link", "tint"), ("bad", "card")]


def properties(mode: str) -> dict[str, str]:
    """Read the colours of a mode; dark ones replace light ones."""
    light, dark = re.findall(r":root \{([^}]*)\}", STYLE)[:2]
    blocks = [light, dark] if mode == "dark" else [light]
    return {
        name: value
        for block in blocks
        for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)
    }


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_is_that_of_the_standard(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(
    ("color", "ink"),
    [("#0F7B6C", INKS[0]), ("#d6336c", INKS[0]), ("#e8590c", INKS[1]), ("#3b82f6", INKS[1])],
)
def test_a_colour_that_can_be_seen_is_used(color: str, ink: str) -> None:
    assert accent(color) == Accent(color.lower(), ink)


@pytest.mark.parametrize(
    "color",
    [
        *CARDS,
        "#ffff00",
        "#f0f0f0",
        "#000000",
        "#00003c",
        "",
        "red",
        "#abc",
        "#0f7b6c;}",
        "#0f7b6c\n",
        "##0f7b6",
        "#0f7b6g",
        "#0f7b6c80",
    ],
)
def test_a_colour_that_cannot_be_seen_is_refused(color: str) -> None:
    assert accent(color) is None


def test_the_page_has_one_rule_for_the_accent_and_only_for_a_good_one() -> None:
    with asked():
        good, bad = link(App("A", accent_color="#0f7b6c")), link(App("A", accent_color="#ffffff"))

    rule = '<style nonce="nonce">:root{--accent:#0f7b6c;--on-accent:#ffffff}</style>'
    assert rule in good
    assert "<style" not in bad


def test_the_cards_are_those_of_the_stylesheet() -> None:
    assert CARDS == (properties("light")["card"], properties("dark")["card"])


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), [*TEXT_PAIRS, ("on-accent", "accent")])
def test_text_can_be_read(mode: str, ink: str, ground: str) -> None:
    colors = properties(mode)

    assert contrast(colors[ink], colors[ground]) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("control", "ground"), CONTROL_PAIRS)
def test_controls_and_focus_can_be_seen(mode: str, control: str, ground: str) -> None:
    colors = properties(mode)

    assert contrast(colors[control], colors[ground]) >= 3


def test_the_stylesheet_has_no_colour_outside_its_properties() -> None:
    rules = re.sub(r":root \{[^}]*\}", "", STYLE)

    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", rules)


def test_the_stylesheet_knows_no_left_and_right() -> None:
    assert not re.search(r"\b(margin|padding|border)-(left|right)\b|\b(left|right):", STYLE)
