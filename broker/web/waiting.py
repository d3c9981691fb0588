"""A page that waits for something and then leads on by itself, without scripts.

It is sent in two halves. What leads on stands between them, as soon as it is known where to.
"""

from __future__ import annotations

from flask import make_response, render_template

from broker.web.layout import App, Legal, page
from broker.web.phrases import phrases_for
from broker.web.translations import _, with_locale

_BETWEEN = "<!--outcome-->"


def halves(app: App, slug: str, label: str, *, legal: Legal) -> tuple[str, str]:
    """Give the page that says what is done with a login typed for a provider."""
    title = _(phrases_for(slug, typed=True).busy) % {"provider": label}
    whole = make_response(page("waiting.html", title=title, app=app, legal=legal))
    begin, _mark, end = whole.get_data(as_text=True).partition(_BETWEEN)
    return begin, end


def leading_on(url: str) -> str:
    """Give what ends the waiting: the way on, taken at once, and to be pressed where it is not."""
    return render_template("leading_on.html", url=with_locale(url))
