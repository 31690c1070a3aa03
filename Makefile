# Every command of this project: `make help` lists them.
# GNU make and Python 3.11 are the only prerequisites; `make setup` installs the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3.11)
BIN := .venv/bin
MEMBERS := services/core services/runtime services/answerlog services/web services/solver services/grader services/cli services/papers operator tests/harness
SOURCES := $(addsuffix /src,$(MEMBERS))
# All tests and fixtures; the harness in tests/harness is a source.
TESTS := $(filter-out tests/harness tests/__pycache__,$(wildcard tests/*))
LOCKED := requirements/uv.txt requirements/dev.txt
PYTEST_ARGS ?=
# Processes that run tests side by side; `make test WORKERS=0` runs them in one.
WORKERS ?= 2
HTTP_PORT ?=
PORT := $(if $(HTTP_PORT),--port $(HTTP_PORT))

.PHONY: help
help: ## list targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort -t: -k1,1 | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/ready ## install Python packages, Cassandra, PostgreSQL, Redis and nginx

# Python packages alone: what runs in containers, or without servers, needs no Java.
.PHONY: packages
packages: .venv/packages

# The members' pyproject.toml are prerequisites so that a new dependency or entry point is installed.
.venv/packages: $(LOCKED) $(addsuffix /pyproject.toml,$(MEMBERS))
	@echo "set-up: installing Python packages into .venv"
	@command -v $(PYTHON) >/dev/null || { echo "set-up: Python 3.11 not found as '$(PYTHON)': install it, or run make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "set-up: '$(PYTHON)' is not Python 3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# Syncing uninstalls every unlocked package, pip included; so pip installs uv once, and uv updates itself after that.
	@test -x $(BIN)/uv || $(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes requirements/uv.txt requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@

.venv/ready: .venv/packages $(wildcard tests/harness/cassandra/*)
	@$(BIN)/python -m exam_harness.environments.processes.servers.install
	@touch $@

.PHONY: demo
demo: setup ## run a whole sitting on real stores and check every degree (KEEP=1 keeps the stack running)
	@$(BIN)/python -m exam_harness.scenarios.demo

.PHONY: demo-operator
demo-operator: setup kube ## apply the sample Exams to a real API server and let the operator run their sittings
	@$(BIN)/python -m exam_harness.scenarios.operator

.PHONY: bench-operator
bench-operator: setup kube ## measure the operator's latency when 200 Exams open and close in one second
	@$(BIN)/python -m exam_harness.scenarios.bench.operator

.PHONY: bench-regrade
bench-regrade: setup ## measure how long the difference of two revisions takes for 100,000 students and 50 questions
	@$(BIN)/python -m exam_harness.scenarios.bench.regrade

.PHONY: up
up: packages ## create a local Kubernetes cluster and install the platform (HTTP_PORT=8080)
	@$(BIN)/python -m exam_harness.environments.cluster.up $(PORT)

.PHONY: exam
exam: packages ## run the sample Exams in that cluster: apply, answer, grade, check every degree
	@$(BIN)/python -m exam_harness.scenarios.cluster $(PORT)

.PHONY: down
down: packages ## delete the cluster, and stop the Docker engine if `make up` started it
	@$(BIN)/python -m exam_harness.environments.cluster.down

.PHONY: test-e2e
test-e2e: packages ## test the platform in a cluster of its own: pods killed, release upgraded, a second release, machine down
	@$(BIN)/pytest -m e2e tests/e2e $(PYTEST_ARGS)

.PHONY: test-e2e-full
test-e2e-full: packages ## the same, with every component's pod killed alone, three racks and the backup drill
	@EXAM_E2E=all $(BIN)/pytest -m e2e tests/e2e $(PYTEST_ARGS)

.PHONY: test-compose
test-compose: packages ## run a sitting on Docker Compose: up, answer, grade in the admin, check every degree, down
	@$(BIN)/python -m exam_harness.scenarios.compose

.PHONY: test-skaffold
test-skaffold: packages ## run `skaffold dev`, edit a source, and check that it is synced without a build
	@$(BIN)/python -m exam_harness.scenarios.skaffold $(PORT)

.PHONY: dev
dev: setup ## run the platform as processes with one sitting open, until Ctrl-C
	@$(BIN)/python -m exam_harness.scenarios.dev

.PHONY: kube
kube: packages ## build Kubernetes and etcd from source into the shared cache (minutes, once)
	@$(BIN)/python -m exam_harness.environments.builds

.PHONY: test
test: setup lint kube ## run everything without a cluster: linters, types, unit, contract and integration tests
	@$(BIN)/pytest --numprocesses $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-faults
test-faults: setup ## run sittings under seeded faults of every process and link, and judge all that was said (SEEDS=1-10, NODES=3)
	@$(BIN)/python -m exam_harness.scenarios.nemesis $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SCHEDULE),--schedule $(SCHEDULE)) \
		$(if $(REPEAT),--repeat $(REPEAT)) $(if $(NODES),--nodes $(NODES)) $(if $(SHRINK),--shrink $(SHRINK))

.PHONY: test-faults-controls
test-faults-controls: setup ## switch off one rule of the protocol after the other, and check that the faults show each
	@$(BIN)/pytest -m controls tests/integration/faults $(PYTEST_ARGS)

.PHONY: test-faults-operator
test-faults-operator: setup kube ## kill the operator before and after each of its mutating requests, not only a sample (ten minutes)
	@EXAM_FAULTS=all $(BIN)/pytest tests/exam_operator/test_faults.py $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: packages ## run the tests that need no server
	@$(BIN)/pytest tests/unit $(PYTEST_ARGS)

.PHONY: lint
lint: packages ## check format, lint rules, types, import contracts and words
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@env $$(grep -v '^#' tests/harness/lint.env | xargs) $(BIN)/mypy $(SOURCES) $(TESTS)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m exam_harness.words

.PHONY: sbom
sbom: packages ## write a bill of materials (CycloneDX) for each image to build/sbom
	@$(BIN)/python -m exam_harness.supply_chain.sbom

.PHONY: audit
audit: packages ## look up known vulnerabilities of all locked dependencies; exit code 2 if that is not possible
	@$(BIN)/python -m exam_harness.supply_chain.audit

.PHONY: copies
copies: ## update the chart's copies of files from other folders
	@cp crds/exams.yaml charts/exam-platform/files/exams.yaml
	@cp operator/rbac.yaml charts/exam-platform/files/operator-rbac.yaml
	@cp docker/nginx/*.conf docker/nginx/*.sh charts/exam-platform/files/nginx/

.PHONY: values-table
values-table: packages ## generate the chart's README from its values and their schema
	@$(BIN)/python -m exam_harness.chart.values_table

.PHONY: format
format: packages ## format the code and apply lint fixes
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: lock
lock: packages ## compile requirements/*.txt from the members' pyproject.toml (LOCK_ARGS=--upgrade to upgrade)
	@$(BIN)/python tests/harness/lock.py $(LOCK_ARGS)

.PHONY: clean
clean: ## remove build output; the cache outside the repository stays
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
