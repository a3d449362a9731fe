import pytest
from starlette.datastructures import Headers

from serve_app.web.proxies import Proxies, is_loopback

TRUSTED = ("10.0.0.0/8",)


def seen(peer: str, **headers: str) -> tuple[str, str]:
    scope = {"type": "http", "client": (peer, 1), "scheme": "http"}
    client, scheme = Proxies(TRUSTED).client(scope, Headers({k.replace("_", "-"): v for k, v in headers.items()}))
    assert client is not None
    return client[0], scheme


def test_strangers_are_not_believed() -> None:
    assert seen("192.0.2.1", x_forwarded_for="127.0.0.1", x_forwarded_proto="https") == (
        "192.0.2.1",
        "http",
    )


def test_a_trusted_proxy_speaks_for_its_client() -> None:
    assert seen("10.1.1.1", x_forwarded_for="192.0.2.1", x_forwarded_proto="https") == (
        "192.0.2.1",
        "https",
    )


def test_the_nearest_stranger_counts_and_not_what_it_claims() -> None:
    assert seen("10.1.1.1", x_forwarded_for="127.0.0.1, 192.0.2.1, 10.2.2.2") == ("192.0.2.1", "http")


def test_rubbish_ends_the_chain() -> None:
    assert seen("10.1.1.1", x_forwarded_for="127.0.0.1, <script>, 10.2.2.2") == ("10.2.2.2", "http")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
