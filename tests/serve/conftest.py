from collections.abc import Iterator

import pytest

from tests.netns import isolate
from tests.serve.stack import Stack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    isolate()
    with running(tmp_path_factory.mktemp("stack")) as started:
        yield started
