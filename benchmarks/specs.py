"""The models of the benchmarks' own configs."""

from pathlib import Path

import yaml

from deployments.contracts.models import ModelSpec

CONFIGS = Path(__file__).parent / "configs"
FIXED_PACE = CONFIGS / "fixedpace.yaml"
ENGINES = CONFIGS / "engines.yaml"
HELLO = CONFIGS / "hello.yaml"


def specs(config: Path) -> dict[str, ModelSpec]:
    """By model id."""
    (application,) = yaml.safe_load(config.read_text())["applications"]
    return {spec.id: spec for spec in map(ModelSpec.model_validate, application["args"]["models"])}
