"""Journals of replicas that are gone."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from serve_app.domain.usage import UsageRecord
from serve_app.services.usage import lines
from serve_app.services.usage.segments import PATTERN, claimed


async def sweep(folder: Path, book: Callable[[list[UsageRecord]], Awaitable[None]]) -> None:
    """Book and delete every journal without an owner, oldest first. Replicas that sweep together share the files.

    A failure to book leaves the file where it is.
    """
    for path in await asyncio.to_thread(_journals, folder):
        with claimed(path) as ours:
            if ours:
                await book(await asyncio.to_thread(_read, path))
                path.unlink()


def _journals(folder: Path) -> list[Path]:
    return sorted(folder.glob(PATTERN))


def _read(path: Path) -> list[UsageRecord]:
    with path.open("rb") as journal:
        return lines.records(journal)
