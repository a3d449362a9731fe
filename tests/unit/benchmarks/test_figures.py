import math

import pytest

from benchmarks.figures import Spread, calmest, differences, percentile, ratios, shown, spread, table


def test_spread_is_median_and_extremes() -> None:
    assert spread([3, 1, 2]) == Spread(median=2, low=1, high=3)
    assert spread([4, 1, 2, 3]).median == 2.5


def test_ratios_compare_round_by_round() -> None:
    # The second round was slow for both; medians of each alone would not tell that the ratio held.
    assert ratios([2, 20, 2], [1, 10, 1]) == Spread(median=2, low=2, high=2)
    assert differences([2, 20], [1, 10]) == Spread(median=5.5, low=1, high=10)


def test_ratio_to_nothing_is_infinite() -> None:
    assert ratios([1], [0]).median == math.inf


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_percentile_takes_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_percentile_of_one_value() -> None:
    assert percentile([7.0], 99) == 7.0


def test_calmest_keeps_the_order_of_rounds() -> None:
    assert calmest([0.9, 0.1, 0.5, 0.2], 3) == [1, 2, 3]


def test_figures_are_shown_with_their_spread() -> None:
    assert shown(Spread(1.234, 1, 2.5), 1) == "1.2 (1.0–2.5)"


def test_table_is_markdown() -> None:
    assert table(["", "ms"], [["ours", "1"]]).splitlines() == ["|  | ms |", "| --- | ---: |", "| ours | 1 |"]
