"""Random credentials and their digests; only digests are stored."""

import hashlib
import re
import secrets

KEY_MARK = "aigw_"
SESSION_MARK = "aigs_"
_BYTES = 32
_SHOWN = len(KEY_MARK) + 6
_SHAPE = re.compile(r"aig[ws]_[A-Za-z0-9_-]{32,123}")


def new_key() -> str:
    """`aigw_` and 256 random bits."""
    return KEY_MARK + secrets.token_urlsafe(_BYTES)


def new_session() -> str:
    """`aigs_` and 256 random bits, fit for a cookie."""
    return SESSION_MARK + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """SHA-256: enough for 256 random bits, and fast enough for every request."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def shown(key: str) -> str:
    """As much of a key as may be shown again."""
    return key[:_SHOWN]


def well_formed(secret: str) -> bool:
    """Whether looking it up can make sense."""
    return _SHAPE.fullmatch(secret) is not None
