"""Files stay small enough to be read at once."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CAP = 400


def test_no_file_is_over_the_cap() -> None:
    files = [
        file for folder in ("serve_app", "deployments", "tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 50
    assert [str(file) for file in files if len(file.read_text().splitlines()) > CAP] == []
