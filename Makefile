# Everything a clone needs, in a local environment (.venv) that is set up once:
#   make demo    train a small GPT on real text and let it write          make test    lint, types, all tests
#   make bench   time lazygrad against PyTorch on this machine            make clean   remove what was made
# PYTHON=/path/to/python3.12 chooses an interpreter; DEMO_ARGS and PYTEST_ARGS are passed on.
SHELL := /bin/sh
PYTHON ?=
DEMO_ARGS ?=
PYTEST_ARGS ?=
# A file's tests run in one process, which has its kernels already. A test that ends its process, or hangs, is named and
# ends the run. All in one process: PYTEST_ARGS=-n0
ON_ALL_CORES := -n auto --maxprocesses 8 --dist loadfile --max-worker-restart 0
# Not to be overridden: a moved clone deletes and remakes this folder.
override VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install -qq --disable-pip-version-check
TORCH := torch==2.13.0

# An environment knows the folder it was made in: after the clone is moved, it is made again.
MADE_IN := $(shell cat $(VENV)/.made-in 2>/dev/null)
ifneq ($(MADE_IN),$(CURDIR))
STALE := stale
endif

.PHONY: help demo test lint types check bench clean stale
help:
	@sed -n '2,4s/^# *//p' Makefile

demo: $(VENV)/.demo-ready
	$(RUN) examples/gpt.py $(DEMO_ARGS)

# Every part runs, whatever the part before it found; pytest's summary comes last.
test: $(VENV)/.test-ready
	@$(MAKE) --no-print-directory --keep-going lint types check

lint: $(VENV)/.test-ready
	$(RUN) -m ruff check .

# mypy knows nothing of the mapping runtime/ -> lazygrad.runtime, so it is shown a tree of links that has the installed shape.
types: $(VENV)/.test-ready
	@rm -rf $(VENV)/types && mkdir -p $(VENV)/types/lazygrad
	@ln -s "$(CURDIR)"/lazygrad/* "$(CURDIR)/runtime" $(VENV)/types/lazygrad/
	cd $(VENV)/types && ../bin/python -m mypy --config-file ../../pyproject.toml --cache-dir ../mypy-cache -p lazygrad

check: $(VENV)/.test-ready
	$(RUN) -m pytest $(ON_ALL_CORES) $(PYTEST_ARGS)

bench: $(VENV)/.test-ready
	$(RUN) -m extra.bench.cpu
	$(RUN) -m extra.bench.startup
	$(RUN) -m extra.bench.memory

clean:
	rm -rf $(VENV) build dist lazygrad.egg-info

$(VENV)/.made-in: $(STALE)
	@PYTHON="$(PYTHON)" sh extra/tools/find_python.sh > .python-found || { rm -f .python-found; exit 1; }
	@echo "Setting up $(VENV) with $$(cat .python-found) (once)"
	@if [ -f $@ ]; then rm -rf $(VENV); fi
	@"$$(cat .python-found)" -m venv $(VENV); made=$$?; rm -f .python-found; exit $$made
	@printf '%s\n' "$(CURDIR)" > $@

$(VENV)/.demo-ready: $(VENV)/.made-in pyproject.toml
	$(PIP) -e '.[train]'
	@touch $@

# PyPI's Linux build of PyTorch brings gigabytes of CUDA libraries; the tests need the CPU build only.
$(VENV)/.test-ready: $(VENV)/.made-in pyproject.toml
	$(PIP) '$(TORCH)+cpu' 2>/dev/null || $(PIP) --index-url https://download.pytorch.org/whl/cpu '$(TORCH)'
	$(PIP) -e '.[train,text,test,dev]'
	@touch $@ $(VENV)/.demo-ready
