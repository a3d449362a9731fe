import pytest
from fastapi import FastAPI

from tests.house.readme import bare_app


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return bare_app(tmp_path_factory.mktemp("data"))
