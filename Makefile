# `make demo` and `make test` do all the set-up that they need; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
TEMPLATES := evergreen/scaffold/repository
WORKFLOWS = $(wildcard .github/workflows/*.yml $(TEMPLATES)/github/*.yml)
SITE = NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict # a warning fails it; with --quiet none would

.PHONY: screenshots help setup setup-by-pip demo test test-long test-all previous-release ci ci-compared security audit wheel sbom chaos fuzz workers coverage mutation check docs first-try bench clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP) ## Make .venv from the lock, once.

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Evergreen runs on Python 3.11, 3.12 and 3.13, and this is %d.%d; name one: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/^ *--hash.*[^\\]$$/p' requirements.lock > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r requirements.lock \
	  || $(MAKE) --no-print-directory setup-by-pip # as where pip alone is told of a mirror
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup-by-pip: # Slower, and all on one core.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock

demo: setup ## Run a year of flights: a model that keeps learning beside one that does not.
	$(BIN)/evergreen demo

check: setup ## Lint, types, direction of imports, unused dependencies, workflows, documentation.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .
	$(BIN)/zizmor --offline --quiet --strict-collection $(WORKFLOWS)
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.gitlab-ci $(TEMPLATES)/gitlab-ci.yml
	$(BIN)/python -m docs.generate --check
	$(SITE)

docs: setup ## Write the generated pages of the reference, and build the site into site/.
	$(BIN)/python -m docs.generate
	$(SITE)
	@echo "Open site/index.html; to search in it too: $(BIN)/python -m http.server -d site"

screenshots: setup ## Take the pictures of the web UI in the docs, with Chromium: some minutes.
	$(BIN)/python -m docs.screenshots

test: check ## Checks and tests, in some minutes.
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long and not slow"

test-long: setup ## The tests that take seconds each, which CI runs after `make test`.
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "long and not slow"

previous-release: setup ## State of the release before (of EVERGREEN_BASE, where set) in this one, and the other way round.
	$(BIN)/python -m pytest tests/system/test_previous_release.py

# There is no production of the example models: a year of flights takes its place, with champions of the base's model files.
BASE ?= main
CI = EVERGREEN_HOME=$(CURDIR)/.evergreen/ci
YEAR = --as-of 2013-12-30

ci: setup ## What a change does to the example models, against BASE (main): some minutes, or seconds if it affects none.
	@rm -rf .evergreen/ci # without a champion, only a change that affects no model passes
	@$(CI) $(BIN)/evergreen ci --base $(BASE) $(YEAR) 2> /dev/null || $(MAKE) --no-print-directory ci-compared

ci-compared:
	@mkdir -p .evergreen/ci/base
	git archive "$$(git merge-base HEAD $(BASE))" models | tar --extract --directory .evergreen/ci/base
	for model in $(basename $(notdir $(wildcard models/[a-z]*.py))); do \
	  if test -f .evergreen/ci/base/models/$$model.py; then for word in ingest train; do \
	    EVERGREEN_MODELS=$(CURDIR)/.evergreen/ci/base/models $(CI) $(BIN)/evergreen $$word $$model $(YEAR) || exit; done; fi; done
	$(CI) $(BIN)/evergreen ci --base $(BASE) $(YEAR)

SECURITY = tests/serving/http tests/serving/log $(wildcard tests/system/test_erasure*.py) tests/evergreen/governance \
  $(addprefix tests/system/test_,altered_models.py at_once.py hostile_callers.py integrity.py private_columns.py) \
  $(addprefix tests/system/test_,read_only_identity.py up.py user_code.py) \
  $(addprefix tests/evergreen/test_,addresses.py credentials.py permissions.py sql.py) tests/evergreen/registry/test_trusted.py \
  tests/evergreen/lake/test_audit_seals.py tests/flows/runtime/test_connection.py tests/deployments/test_wheel.py

security: setup ## Security rules of the linter, tests of docs/security.md, known vulnerabilities of the lock.
	$(BIN)/ruff check . # which holds its security rules, S
	$(BIN)/python -m pytest -n 2 --dist loadfile $(SECURITY)
	@$(MAKE) --no-print-directory audit

audit: setup ## Known vulnerabilities of the lock, by network: error 1 if there are some, 3 if it could not be asked for all.
	@$(MAKE) --no-print-directory --file $(TEMPLATES)/Makefile --old-file $(STAMP) security # as a team does

# From the files of the commit, not of this folder; its time, the lock's setuptools and fixed permissions do the rest.
wheel: setup ## Build Evergreen's wheel of the last commit into dist/: the same bytes wherever and whenever.
	@rm -rf .venv/wheel && mkdir -p .venv/wheel dist
	@umask 022 && git archive HEAD | tar --extract --no-same-permissions --directory .venv/wheel && \
	  SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m pip wheel --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --wheel-dir dist .venv/wheel
	@rm -rf .venv/wheel && sha256sum dist/evergreen-*.whl

sbom: setup ## Write dist/evergreen.cdx.json: every package of the last commit, with hashes and licences (CycloneDX).
	$(BIN)/evergreen sbom --release HEAD --output dist/evergreen.cdx.json

chaos: setup ## Kill the loop at random writes, and `serve` and `up` at random moments, SEEDS times (500) each, and look whether all holds.
	CHAOS_SEEDS=$(or $(SEEDS),500) $(BIN)/python -m pytest -n 2 --dist load tests/faults -k any_fault
	KILLS_OF_SERVE=$(or $(SEEDS),500) KILLS_OF_UP=$(or $(SEEDS),500) $(BIN)/python -m pytest tests/faults/test_random_kills.py

fuzz: setup ## Take random tables (TABLES=500) through the whole loop, about 10 s each on a core, and report how each ended.
	FUZZ_TABLES=$(or $(TABLES),500) $(BIN)/python -m pytest -q -s tests/system/test_random_tables.py

workers: setup ## Let WORKERS (4) with homes of their own refresh MODELS (20) on one lake ROUNDS (200) times, and kill, stop and cut them off.
	WORKERS_COUNT=$(or $(WORKERS),4) WORKERS_MODELS=$(or $(MODELS),20) WORKERS_ROUNDS=$(or $(ROUNDS),200) \
	  $(BIN)/python -m pytest -q -s tests/faults/test_workers.py

test-all: check ## Checks and all tests, the long ones too.
	$(BIN)/python -m pytest -n 2 --dist loadfile

coverage: setup ## Lines and branches of evergreen/ that CI's tests run, sub-processes included.
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --cov --cov-report=
	$(BIN)/coverage report

mutation: setup ## Change the code that decides, one place at a time, and see whether a test fails; `mutmut browse` shows.
	$(BIN)/mutmut run
	$(BIN)/mutmut results

first-try: setup ## Take published tables from `evergreen new` to an answer of the service, with nothing edited.
	$(BIN)/python -m benchmarks.first_try.run

bench: setup ## Measure; the output stands in docs/benchmarks.md.
	$(BIN)/python -m benchmarks

clean: ## Remove what was made: the environment and all state.
	rm -rf .venv .evergreen site
