# Every habit of this project in one place: `make help` lists them.
# GNU make and Python 3.11 are all that has to be there; `make setup` brings the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3.11)
BIN := .venv/bin
MEMBERS := services/core services/runtime services/answerlog services/web services/solver services/grader operator tests/harness
SOURCES := $(addsuffix /src,$(MEMBERS))
LOCKED := requirements/uv.txt requirements/dev.txt
PYTEST_ARGS ?=
HTTP_PORT ?= 80

.PHONY: help
help: ## list the habits
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/ready ## bring everything the project needs: Python packages, Cassandra, PostgreSQL, Redis, nginx

# The members' pyproject.toml are prerequisites, so that a new dependency or entry point is installed.
.venv/ready: $(LOCKED) $(addsuffix /pyproject.toml,$(MEMBERS)) $(wildcard tests/harness/cassandra/*)
	@echo "set-up: Python packages into .venv"
	@command -v $(PYTHON) >/dev/null || { echo "set-up needs Python 3.11 as '$(PYTHON)': install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "'$(PYTHON)' is not Python 3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# Syncing removes what no lock names, pip among it; so pip brings uv once and uv keeps itself from then on.
	@test -x $(BIN)/uv || $(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes requirements/uv.txt requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@$(BIN)/python -m exam_harness.environments.processes.servers.install
	@touch $@

.PHONY: demo
demo: setup ## run a whole sitting on real stores and check every degree (KEEP=1 leaves it running)
	@$(BIN)/python -m exam_harness.scenarios.demo

.PHONY: operator-demo
operator-demo: setup kube ## apply the sample Exams to a real API server and watch the operator run their sittings
	@$(BIN)/python -m exam_harness.scenarios.operator

.PHONY: operator-bench
operator-bench: setup kube ## how soon the operator acts when 200 Exams open and close in one second
	@$(BIN)/python -m exam_harness.scenarios.bench.operator

.PHONY: up
up: setup ## bring up a Kubernetes cluster on this machine with the platform in it (HTTP_PORT=80)
	@$(BIN)/python -m exam_harness.environments.cluster.up --port $(HTTP_PORT)

.PHONY: exam
exam: setup ## the main job in that cluster: sample Exams applied, answered, graded, every degree checked
	@$(BIN)/python -m exam_harness.scenarios.cluster --port $(HTTP_PORT)

.PHONY: down
down: setup ## take the cluster away, and the Docker engine if `make up` started it
	@$(BIN)/python -m exam_harness.environments.cluster.down

.PHONY: test-e2e
test-e2e: setup ## the platform in a real cluster while its pods are killed and it is upgraded (a cluster of its own)
	@$(BIN)/pytest -m e2e tests/e2e $(PYTEST_ARGS)

.PHONY: test-e2e-full
test-e2e-full: setup ## the same, with each pod killed alone too
	@EXAM_E2E=all $(BIN)/pytest -m e2e tests/e2e $(PYTEST_ARGS)

.PHONY: compose-test
compose-test: setup ## Docker Compose for real: up, log in, sit, mark for solving, every degree checked, down
	@$(BIN)/python -m exam_harness.scenarios.compose

.PHONY: skaffold-test
skaffold-test: setup ## `skaffold dev` for real: a source is edited, and the pods answer anew without a build
	@$(BIN)/python -m exam_harness.scenarios.skaffold --port $(HTTP_PORT)

.PHONY: dev
dev: setup ## run the platform on this machine with one sitting open, until Ctrl-C
	@$(BIN)/python -m exam_harness.scenarios.dev

.PHONY: kube
kube: setup ## build Kubernetes and etcd from their sources, once for every clone (minutes)
	@$(BIN)/python -m exam_harness.environments.builds

.PHONY: test
test: setup lint kube ## everything: linters, types, unit, contract and integration tests on the real stores
	@$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: test-faults
test-faults: setup kube ## the operator killed before and after every change it makes, not only a sample (ten minutes)
	@EXAM_FAULTS=all $(BIN)/pytest tests/exam_operator/test_faults.py $(PYTEST_ARGS)

.PHONY: unit
unit: setup ## the tests that need no server
	@$(BIN)/pytest tests/unit $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## format, lint rules, types and the arrows between the parts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@env $$(grep -v '^#' tests/harness/lint.env | xargs) $(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports --no-logo

.PHONY: copies
copies: ## bring what the chart carries of other folders up to date
	@cp crds/exams.yaml charts/exam-platform/files/exams.yaml
	@cp operator/rbac.yaml charts/exam-platform/files/operator-rbac.yaml
	@cp docker/nginx/*.conf charts/exam-platform/files/nginx/

.PHONY: values-table
values-table: setup ## write the chart's README from its values and their schema
	@$(BIN)/python -m exam_harness.chart.values_table

.PHONY: format
format: setup ## rewrite the code as the linters want it
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: lock
lock: setup ## compile requirements/*.txt anew from the members' pyproject.toml (LOCK_ARGS=--upgrade to move on)
	@$(BIN)/python tests/harness/lock.py $(LOCK_ARGS)

.PHONY: clean
clean: ## remove what was built here; the cache outside the repository stays
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
