"""Slow hashes for what people choose."""

import secrets

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash

_AT_ONCE = 2
"""Each hash takes 64 MiB and a core."""


class Passwords:
    """argon2id, off the event loop."""

    def __init__(self, hasher: PasswordHash | None = None) -> None:
        self._hasher = hasher or PasswordHash.recommended()
        self._limiter = CapacityLimiter(_AT_ONCE)
        self._decoy = self._hasher.hash(secrets.token_bytes())

    async def hash(self, password: str) -> str:
        return await to_thread.run_sync(self._hasher.hash, _bytes(password), limiter=self._limiter)

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the hashed one. None, for a user who is not there, takes as long to deny."""
        right = await to_thread.run_sync(
            self._hasher.verify, _bytes(password), hashed or self._decoy, limiter=self._limiter
        )
        return right and hashed is not None


def _bytes(password: str) -> bytes:
    # JSON can carry lone surrogates, which strict UTF-8 refuses.
    return password.encode("utf-8", "surrogatepass")
