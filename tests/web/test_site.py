"""What `frame.Site` takes for granted of the app that it is."""

from __future__ import annotations

from inspect import iscoroutinefunction
from itertools import chain
from pathlib import Path

from app import create_app
from tests.fake_redis import fake_redis
from tests.world import make_settings


def test_nothing_that_flask_calls_is_a_coroutine(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path), redis=fake_redis())
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)

    called = [
        *app.view_functions.values(),
        *app.teardown_appcontext_funcs,
        *(hook for kind in hooks for hook in chain.from_iterable(kind.values())),
    ]

    assert len(called) > 20
    assert not [function for function in called if iscoroutinefunction(function)]
