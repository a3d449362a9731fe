"""The README says what the code does."""

import pytest
from fastapi import FastAPI

from tests.house.readme import README, section, tables


@pytest.mark.parametrize("heading", ["Configuration", "Routes"])
def test_its_tables_are_true(app: FastAPI, heading: str) -> None:
    """`python -m tests.house.readme` writes them anew."""
    assert section(README.read_text(), heading) == tables(app)[heading]
