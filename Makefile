# make run: the dashboard on a demo cohort. make test: the whole test suite. make check: what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar $(if $(CI),off,on)
PORT ?= 8501
TESTS ?= tests
SLOW ?=
# Each thread of the server would keep freed memory for itself: a fifth less with two pools for all.
GLIBC := MALLOC_ARENA_MAX=2

.PHONY: run test check lint demo clean

run: $(VENV)/.installed
	$(BIN)/lemof demo
	$(GLIBC) $(BIN)/streamlit run streamlit_app.py --server.port $(PORT)

demo: $(VENV)/.installed
	$(BIN)/lemof demo

test: $(VENV)/.installed-test browser
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS) $(if $(SLOW),,-m "not slow")

check: lint test

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e ".[test]"
	touch $@ $(VENV)/.installed

# Browser tests need a Chromium; Debian's is installed when none is found and we may.
.PHONY: browser
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	{ echo "No Chromium found: installing Debian's"; \
	  if [ "$$(id -u)" = 0 ]; then SUDO=; else SUDO=sudo; fi; \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium fonts-liberation; } || \
	echo "No Chromium could be installed: browser tests will be skipped with that reason"

clean:
	rm -rf $(VENV) .lemof .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
