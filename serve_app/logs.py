"""Logs as JSON lines. Messages are constant; what varies stands in fields, and no user text in any."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

_FILE_BYTES = 10 * 2**20
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object per record: time, level, logger, message, and the fields given by `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info and record.exc_info[0] is not None:
            # The message of an exception may quote what a user sent; its kind and place do not.
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str, file: Path) -> None:
    """Send the records of our own loggers to a file that rotates, and to standard error."""
    # Serve puts an object of its own in the place of sys.stderr, which walks the stack at each write.
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handlers = [logging.StreamHandler(sys.__stderr__), RotatingFileHandler(file, maxBytes=_FILE_BYTES, backupCount=3)]
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    for name in ("serve_app", "deployments"):
        logger = logging.getLogger(name)
        logger.handlers = list(handlers)
        logger.setLevel(level.upper())
        logger.propagate = False
