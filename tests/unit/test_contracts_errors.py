import pickle

import pytest

from deployments.contracts.errors import KINDS, AppError


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_the_way_between_replicas(kind: type[AppError]) -> None:
    there = kind("what happened", param="messages", retry_after=2.5)
    back = pickle.loads(pickle.dumps(there))
    assert type(back) is kind
    assert (back.message, back.param, back.retry_after) == ("what happened", "messages", 2.5)
    assert 400 <= kind.status < 600


def test_codes_tell_the_kinds_apart() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
