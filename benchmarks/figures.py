"""The arithmetic of rounds: medians, spreads, percentiles and ratios."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over all rounds."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Round by round, for what disturbs a round disturbs both; `theirs` of 0 is an infinite ratio."""
    return spread([one / other if other else math.inf for one, other in zip(ours, theirs, strict=True)])


def differences(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Round by round as well."""
    return spread([one - other for one, other in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank)."""
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def shown(figure: Spread, digits: int = 2) -> str:
    return f"{figure.median:.{digits}f} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column holds names, the others figures."""
    rule = ["---", *("---:" for _ in headings[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rule, *rows))


def calmest(noise: Sequence[float], count: int) -> list[int]:
    """The indices, in order, of the `count` rounds in which others took least of the machine."""
    by_noise: Callable[[int], float] = noise.__getitem__
    return sorted(sorted(range(len(noise)), key=by_noise)[:count])
