.DEFAULT_GOAL := help
.PHONY: help setup setup-dev weights serve test lint fmt evaluate bench lock clean
SHELL := /bin/bash
BIN := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  \033[1m%-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing and make .venv from the hash locks
	@sh requirements/setup.sh

setup-dev:
	@sh requirements/setup.sh dev

weights: setup
	@$(BIN)/python -m deployments.smallchat.checkpoint

serve: setup weights ## Start everything and say where it listens; Ctrl-C stops it
	@exec $(BIN)/polyphony up

test: lint weights ## Run every check and every test
	$(BIN)/python -m pytest

lint: setup-dev ## Check format, style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

fmt: setup-dev ## Format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

evaluate: setup weights ## Score the small chat model by ability, on cases written by hand
	@$(BIN)/python -m deployments.smallchat.evaluate

bench: setup-dev weights ## Measure side by side; benchmarks/README.md says how to read it
	$(BIN)/python -m benchmarks

COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE) \
	$(if $(PIP_FIND_LINKS),$(PIP_FIND_LINKS:%=--find-links %),--torch-backend cpu)

lock: setup ## Write the hash locks anew from pyproject.toml; UPGRADE=--upgrade takes the newest versions
	$(COMPILE) pyproject.toml --extra cpu --override requirements/overrides.txt -o requirements/cpu.txt
	$(COMPILE) --group dev -c requirements/cpu.txt -o requirements/dev.txt

clean: ## Remove the environment and the caches; the data folder stays
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .import_linter_cache
	find serve_app deployments tests -name __pycache__ -prune -exec rm -rf {} +
