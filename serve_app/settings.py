"""Everything an operator can set, read once from the environment and `.env`, then passed down as a value."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """`POLYPHONY_<NAME>` each; lists are separated by commas."""

    model_config = SettingsConfigDict(
        env_prefix="POLYPHONY_", env_file=".env", extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address of the public port."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """The public port."""
    data_dir: Path = Path(".data")
    """Where the embedded servers, the usage journals and the secrets of this installation live."""
    config: Path = Path("configs/laptop.yaml")
    """The Serve config that `polyphony up` starts."""
    admin_email: str = "admin@polyphony.local"
    """E-mail of the first admin, made when there is none."""
    admin_password: SecretStr | None = None
    """Password of the first admin; without one it is random and shown once."""
    database_url: SecretStr | None = None
    """`postgresql://user:password@host:port/name` of an outside Postgres; without one `polyphony up` runs its own."""
    database_timeout_s: Annotated[float, Field(gt=0)] = 0.9
    """Seconds after which a Postgres that does not answer counts as away."""
    milvus_uri: str | None = None
    """URI of an outside Milvus; without one `polyphony up` runs its own."""
    fetch_allow: Names = ()
    """Private hosts that outbound fetches may reach all the same."""
    trusted_proxies: Names = ("127.0.0.1", "::1")
    """Proxies whose X-Forwarded-* headers are believed: addresses or networks."""
    operator_token: SecretStr | None = None
    """Bearer token that opens /metrics."""
    trust_loopback: bool = False
    """Whether a peer on the loopback is surely on this machine, and may read /metrics; `polyphony up` sees to it."""
    max_body_mb: Annotated[int, Field(ge=1)] = 8
    """Largest JSON body accepted, in MiB."""
    session_hours: Annotated[int, Field(ge=1)] = 168
    """Life of a login session."""
    default_rate_limit: Annotated[int, Field(ge=1)] = 60
    """Requests a minute of a user for whom none was set."""
    log_level: str = "INFO"
    """Least severe level that is logged."""

    @field_validator("fetch_allow", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            ip_network(name, strict=False)
        return value

    @field_validator("data_dir", "config")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()
