"""Users and keys for the load, made as an admin makes them: through the API."""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

UNBOUNDED = 2**31 - 1
"""A rate limit that no load reaches; admission does its work all the same."""


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    key: str


class Admin:
    """A logged-in admin of a running installation; httpx.HTTPError when something is refused."""

    def __init__(self, base_url: str, email: str, password: str) -> None:
        # Proxies of the environment are for the world outside.
        self._client = httpx.Client(base_url=base_url, timeout=30, trust_env=False)
        self._post("/auth/login", {"email": email, "password": password})

    def add_user(self, rate_limit: int = UNBOUNDED) -> Account:
        """A customer with a name of chance, and a key."""
        user = {
            "email": f"load-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(16),
            "name": "load",
            "rate_limit": rate_limit,
        }
        id_ = self._post("/admin/users", user)["id"]
        return Account(id_, self._post("/admin/apikeys", {"user_id": id_, "name": "load"})["key"])

    def remove(self, account: Account) -> None:
        """Deactivate the user, which ends the key."""
        self._client.delete(f"/admin/users/{account.id}").raise_for_status()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.post(path, json=body).raise_for_status().json()
        return answer
