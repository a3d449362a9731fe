"""Rows for people on a terminal, tab-separated lines for programs elsewhere."""

from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    console = Console()
    if not console.is_terminal:
        for row in (header, *rows):
            typer.echo("\t".join(str(cell) for cell in row))
        return
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
