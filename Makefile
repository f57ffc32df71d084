# Everything here makes what it needs: a Python >= 3.11 with venv is enough.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo figures test check docs verify bench clean

help:
	@echo "make demo     the main question: does waiting vanish as the fleet grows? (results/ and one figure)"
	@echo "make figures  the paper's figures and claims, measured (some minutes; results/*/*.png)"
	@echo "make test     the tests"
	@echo "make check    style, types, and the order of the rooms"
	@echo "make docs     the guides and a reference of every room as a site (docs/_build/index.html)"
	@echo "make verify   the slow statistical tests"
	@echo "make bench    speed, beside peers"
	@echo "make clean    remove the environment and caches (never results/)"

# The environment is made again when the dependencies change, and only then.
$(READY): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

demo: $(READY)
	$(BIN)/jfsq run scenarios/zero_waiting.toml

figures: $(READY)
	$(BIN)/jfsq run scenarios/orders.toml
	$(BIN)/python analysis/orders.py
	$(BIN)/jfsq run scenarios/collapse.toml
	$(BIN)/python analysis/collapse.py
	$(BIN)/jfsq run scenarios/busy_servers.toml
	$(BIN)/python analysis/busy_servers.py
	$(BIN)/jfsq run scenarios/inequality.toml --set run.jobs=1_000_000 --out results/heterogeneity
	$(BIN)/python analysis/heterogeneity.py
	$(BIN)/jfsq run scenarios/mean_field.toml
	$(BIN)/python analysis/mean_field.py
	$(BIN)/jfsq run scenarios/gamma.toml
	$(BIN)/python analysis/gamma.py

test: $(READY)
	$(BIN)/python -m pytest -q -n auto

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

verify: $(READY)
	$(BIN)/python -m pytest -q -m verify

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build docs/_build docs/start.md docs/reference/rooms *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
