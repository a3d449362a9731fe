import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.logs import configure


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    ours = [logging.getLogger(name) for name in ("serve_app", "deployments")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in ours]
    configure("info", tmp_path / "logs/gateway.jsonl")
    yield tmp_path / "logs/gateway.jsonl"
    for handler in ours[0].handlers:
        handler.close()
    for logger, (logger.handlers, level, logger.propagate) in zip(ours, before, strict=True):
        logger.setLevel(level)


def test_a_record_is_one_line_with_its_fields(lines: Path) -> None:
    logging.getLogger("serve_app.web").info("request", extra={"request_id": "r\n1", "status": 200})
    logging.getLogger("serve_app.web").debug("too fine")
    [line] = [json.loads(line) for line in lines.read_text().splitlines()]
    assert (line["message"], line["logger"], line["level"]) == ("request", "serve_app.web", "INFO")
    assert (line["request_id"], line["status"]) == ("r\n1", 200)


def test_an_exception_is_told_without_the_words_that_a_user_may_have_said(lines: Path) -> None:
    try:
        raise ValueError("my secret diary")
    except ValueError:
        logging.getLogger("serve_app.services").exception("turn broke")
    text = lines.read_text()
    assert "diary" not in text
    assert json.loads(text)["error"] == "ValueError"
    assert "test_logs.py" in json.loads(text)["at"][0]
