"""What `polyphony` says while it works: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape


class Progress:
    """A terminal that is gone must not keep anything from stopping: what cannot be written is dropped."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str = "", *, style: str | None = None) -> None:
        with suppress(OSError):
            self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Generator[Callable[[str], None]]:
        """Show that `name` is under way, then how long it took; yields what shows a detail."""
        began = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(escape(name)) as status:
                yield lambda detail: status.update(escape(f"{name}: {detail}"))
        else:
            self.say(f"… {name}")
            yield _once_each(lambda detail: self.say(f"  {detail}"))
        self.say(f"✓ {name} ({time.monotonic() - began:.1f} s)")


def _once_each(show: Callable[[str], None]) -> Callable[[str], None]:
    shown = ""

    def show_new(detail: str) -> None:
        nonlocal shown
        if detail != shown:
            shown = detail
            show(detail)

    return show_new
