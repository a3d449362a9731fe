"""Whose word is taken for a client's address and scheme."""

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import Scope

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """Peers that may say by X-Forwarded-* for whom they speak: addresses or networks."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: tuple[_Network, ...] = tuple(ipaddress.ip_network(name, strict=False) for name in trusted)

    def client(self, scope: Scope, headers: Headers) -> tuple[tuple[str, int] | None, str]:
        """The client's address and scheme: the nearest hop that is not one of ours."""
        client: tuple[str, int] | None = scope.get("client")
        scheme: str = scope["scheme"]
        if client is None or not self._trusts(client[0]):
            return client, scheme
        if headers.get("x-forwarded-proto") in ("https", "wss"):
            scheme = {"http": "https", "ws": "wss"}.get(scheme, scheme)
        hops = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            client = (hop, 0)
            if not self._trusts(hop):
                break
        return client, scheme

    def _trusts(self, host: str) -> bool:
        if not _is_address(host):
            return False
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
