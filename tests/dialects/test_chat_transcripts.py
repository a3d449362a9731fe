"""Each dialect's stream, compared byte by byte with a transcript that was read by a person."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from serve_app.app import DIALECTS
from serve_app.dialects.boyo.chat import render as boyo
from serve_app.domain.events import ChatEvent
from serve_app.web.sse import encode
from tests.dialects.events import STREAMS

_GOLDEN = Path(__file__).parent / "golden"
RENDERERS = {"boyo": boyo}


def test_every_dialect_and_every_event_is_tried() -> None:
    assert RENDERERS.keys() == {dialect.name for dialect in DIALECTS}
    assert {type(event) for events in STREAMS.values() for event in events} == set(get_args(ChatEvent))


async def _replay(events: list[ChatEvent]) -> AsyncIterator[ChatEvent]:
    for event in events:
        yield event


@pytest.mark.anyio
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("dialect", RENDERERS)
async def test_transcript(dialect: str, stream: str) -> None:
    written = b"".join([encode(frame) async for frame in RENDERERS[dialect](_replay(STREAMS[stream]))])
    assert written.decode() == (_GOLDEN / dialect / f"{stream}.txt").read_text()
