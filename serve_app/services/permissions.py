"""What only some may do."""

from deployments.contracts.errors import Forbidden
from serve_app.domain.principals import Principal


def require_admin(asker: Principal) -> None:
    """Forbidden for everyone else."""
    if not asker.is_admin:
        raise Forbidden("this needs the admin role")
