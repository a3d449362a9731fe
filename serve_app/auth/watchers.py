"""Who wants to know when a key or session is gone."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from serve_app.db.notices import Notice
from serve_app.domain.principals import Principal

_REMEMBERED = 4096


class Watchers:
    """Callbacks by key or session, each called at most once."""

    def __init__(self) -> None:
        self._callbacks: dict[Notice, dict[object, Callable[[], None]]] = {}
        self._gone: OrderedDict[Notice, None] = OrderedDict()

    def add(self, principal: Principal, callback: Callable[[], None]) -> Callable[[], None]:
        """Answers the function that removes it. What was gone before the watch began calls back all the same."""
        subject = _subject(principal)
        if subject is None:
            return _nothing
        mark = object()
        self._callbacks.setdefault(subject, {})[mark] = callback
        if subject in self._gone:
            asyncio.get_running_loop().call_soon(self._call, subject, mark)
        return lambda: self._remove(subject, mark)

    def subjects(self) -> list[Notice]:
        return list(self._callbacks)

    def fire(self, subject: Notice) -> None:
        """Ids never come back, so a subject that is gone stays so."""
        self._gone[subject] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)
        for mark in self._callbacks.get(subject, ()):
            # Through the loop, so that one that raises does not silence the rest.
            asyncio.get_running_loop().call_soon(self._call, subject, mark)

    def _call(self, subject: Notice, mark: object) -> None:
        if (callback := self._callbacks.get(subject, {}).get(mark)) is not None:
            self._remove(subject, mark)
            callback()

    def _remove(self, subject: Notice, mark: object) -> None:
        callbacks = self._callbacks.get(subject)
        if callbacks is not None and callbacks.pop(mark, None) is not None and not callbacks:
            del self._callbacks[subject]


def _subject(principal: Principal) -> Notice | None:
    if principal.key_id is not None:
        return Notice("key", principal.key_id)
    if principal.session_id is not None:
        return Notice("session", principal.session_id)
    return None


def _nothing() -> None:
    pass
