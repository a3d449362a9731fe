"""A bounded memory of what is true for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class ExpiringCache(Generic[V]):
    """At most `capacity` values, the least recently used leave first; each holds until its own time."""

    def __init__(self, capacity: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[V, float]] = OrderedDict()

    def get(self, key: bytes) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, ends = entry
        if ends <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: bytes, value: V, *, life_s: float) -> None:
        self._entries[key] = (value, self._clock() + life_s)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, unwanted: Callable[[V], bool]) -> None:
        for key in [key for key, (value, _) in self._entries.items() if unwanted(value)]:
            del self._entries[key]

    def discard(self, key: bytes) -> None:
        self._entries.pop(key, None)

    def keys(self) -> list[bytes]:
        return list(self._entries)
