# `make run` and `make test` need Python 3.11 or newer and make, nothing else; they set themselves up in .venv.
# Once set up, nothing is fetched again until a lock changes.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q install

.DEFAULT_GOAL := help
.PHONY: help run demo test faults extras fulltext apprise cluster model model-check likeness eval bench bench-backtest bench-scaling points pictures docs lint audit locks clean

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

run: $(VENV)/.run  ## start the worker with feeds.yaml
	@$(BIN)/monitor run

demo: $(VENV)/.run  ## show a digest of sample feeds, without network or settings
	@$(BIN)/monitor demo

test: $(VENV)/.dev  ## run every test
	@$(BIN)/python -m pytest -n auto

faults: $(VENV)/.dev  ## the worker killed and its servers, disk, clock and files broken; FAULTS=--short for a bounded form
	@$(BIN)/python -m tests.faults $(FAULTS)

extras: $(VENV)/.extras  ## what `monitor learn` and the sense of the second opinion need (another 250 MB)

fulltext: $(VENV)/.run requirements/fulltext.lock  ## what feeds with `fulltext: true` need
	@$(PIP) --require-hashes -r requirements/fulltext.lock

apprise: $(VENV)/.run requirements/apprise.lock  ## what digests with `channels:` need
	@$(PIP) --require-hashes -r requirements/apprise.lock

cluster: $(VENV)/.run requirements/cluster.lock  ## what judging on a Dask cluster needs, here and on its workers
	@$(PIP) --require-hashes -r requirements/cluster.lock

model: $(VENV)/.extras  ## the shipped weights of the second opinion, learnt anew from labels/ (two minutes)
	@$(BIN)/monitor --config feeds.yaml --data build/model learn --out monitor/weights

model-check: $(VENV)/.extras $(VENV)/.dev  ## that the shipped weights are what labels/ teach, those of the sense too
	@EMBED_ALL=1 $(BIN)/python -m pytest tests/test_learn.py tests/test_labels.py -k "shipped or sense"

eval: $(VENV)/.run  ## figures on labelled items that nothing was tuned on or learnt from
	@$(BIN)/monitor --config feeds.yaml evaluate labels/held-out

likeness: $(VENV)/.dev  ## the shipped weights by which reports are joined into stories, learnt anew from labels/events
	@$(BIN)/python bench/stories.py --write

bench: $(VENV)/.bench  ## how fast items are judged and joined into stories, and feeds polled, beside other readers
	@$(BIN)/python bench/matching.py
	@$(BIN)/python bench/stories.py
	@$(BIN)/python bench/polling.py

bench-backtest: $(VENV)/.run  ## how long `monitor backtest` takes on 100,000 stored items, on one core (some minutes)
	@$(BIN)/python bench/backtest.py

bench-scaling: $(VENV)/.dev  ## what a feed and an item cost, alone, with helpers and on a Dask cluster (some minutes)
	@$(BIN)/python bench/scaling.py

pictures: $(VENV)/.dev  ## the pictures of docs/pictures, from the demo's news (needs Chromium)
	@$(BIN)/python bench/pictures.py

docs: $(VENV)/.dev  ## docs/feeds.schema.json and docs/configuration.md, from the models of feeds.yaml
	@$(BIN)/python bench/reference.py

points: $(VENV)/.bench  ## the points of the signs, fitted anew on labels/tuning, beside the shipped ones
	@$(BIN)/python bench/points.py

lint: $(VENV)/.dev  ## ruff, mypy and the arrows of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

audit: $(VENV)/.audit  ## known vulnerabilities in what requirements/ pins, if a database of them can be reached
	@$(BIN)/python bench/audit.py $(VENV)/audit/bin/pip-audit

locks: $(VENV)/.dev  ## pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml -o requirements/run.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --extra learn -c requirements/run.lock -o requirements/learn.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --extra semantic -c requirements/learn.lock -o requirements/semantic.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --extra fulltext -c requirements/learn.lock -o requirements/fulltext.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --extra apprise -c requirements/learn.lock -o requirements/apprise.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --extra cluster -c requirements/learn.lock -o requirements/cluster.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 pyproject.toml --group dev -c requirements/learn.lock -o requirements/dev.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 --group bench -c requirements/learn.lock -o requirements/bench.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 --group build -o requirements/build.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 --group demo -c requirements/run.lock -o requirements/demo.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 --group audit -o requirements/audit.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -q -U --python-version 3.11 requirements/peers.in -o requirements/peers.lock

clean:  ## remove what was set up (never ./data)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis .pytest_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.run: requirements/build.lock requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV), once ..."
	@$(PIP) --require-hashes -r requirements/build.lock
	@$(PIP) --require-hashes -r requirements/run.lock
	@$(PIP) --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	@echo "setting up the tests, once ..."
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.extras: $(VENV)/.run requirements/learn.lock requirements/semantic.lock
	@echo "setting up the extras, once ..."
	@$(PIP) --require-hashes -r requirements/learn.lock
	@$(PIP) --require-hashes -r requirements/semantic.lock
	@touch $@

$(VENV)/.bench: $(VENV)/.run requirements/bench.lock
	@$(PIP) --require-hashes -r requirements/bench.lock
	@touch $@

# Apart from the rest: what audits is no part of what is audited.
$(VENV)/.audit: requirements/audit.lock | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/audit.lock
	@touch $@
