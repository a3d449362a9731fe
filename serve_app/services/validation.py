"""What accounts may look like; each function answers the clean value or raises InvalidInput."""

import re
import unicodedata
from typing import cast, get_args

from deployments.contracts.errors import InvalidInput
from serve_app.domain.principals import Role

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UNSTORABLE = ("Cc", "Cs")
_LONGEST_EMAIL = 254
_LONGEST_NAME = 200
_PASSWORD_LENGTHS = range(8, 1025)
_RATE_LIMITS = range(1, 2**31)
_QUOTAS = range(2**63)
_IDS = range(1, 2**63)


def name(value: str, *, param: str = "name") -> str:
    """1 to 200 characters, none of them control characters."""
    value = value.strip()
    if not 1 <= len(value) <= _LONGEST_NAME or not _storable(value):
        raise InvalidInput(f"{param} must be 1 to {_LONGEST_NAME} characters on one line", param=param)
    return value


def email(value: str) -> str:
    """Lowercased, for e-mails that differ in case belong to one person."""
    value = value.strip().lower()
    if len(value) > _LONGEST_EMAIL or not _EMAIL.fullmatch(value) or not _storable(value):
        raise InvalidInput("email is not an e-mail address", param="email")
    return value


def password(value: str) -> str:
    """8 to 1024 characters of any kind."""
    if len(value) not in _PASSWORD_LENGTHS:
        raise InvalidInput("password must be 8 to 1024 characters", param="password")
    return value


def role(value: str) -> Role:
    if value not in get_args(Role):
        raise InvalidInput("role must be customer or admin", param="role")
    return cast("Role", value)


def rate_limit(value: int) -> int:
    """Requests a minute."""
    if value not in _RATE_LIMITS:
        raise InvalidInput("rate_limit must be a positive number", param="rate_limit")
    return value


def token_quota(value: int | None) -> int | None:
    """Tokens in any 30 days; None sets no bound."""
    if value is not None and value not in _QUOTAS:
        raise InvalidInput("token_quota must not be negative", param="token_quota")
    return value


def is_id(value: int) -> bool:
    """Whether a row could have this id; Postgres refuses to compare others."""
    return value in _IDS


def _storable(value: str) -> bool:
    return all(unicodedata.category(character) not in _UNSTORABLE for character in value)
