# Two commands for a bare machine: `make demo` and `make test`. `make help` lists all.
# Both make .venv first (tools/setup.sh); a second call finds nothing to install.

PYTHON ?=
PYTEST_ARGS ?=
# Test processes: two on two cores, never more than four (each holds torch).
JOBS ?= $(shell nproc 2>/dev/null | awk '{print ($$1 > 4) ? 4 : $$1}')
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint doctor clean clean-venv

help:  ## what there is
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo '  PYTHON=python3.12       the interpreter for a new .venv (3.10, 3.11 or 3.12)'
	@echo '  PIP_FIND_LINKS=FOLDER   wheels at hand; an onedl-mmcv wheel saves its build'
	@echo '  PYTEST_ARGS="--slow"    more for pytest; JOBS=1 for one process'

setup:  ## make .venv: pinned packages, mmcv ops, this project
	@PYTHON='$(PYTHON)' bash tools/setup.sh

demo: setup  ## toy world, SemCL pretraining, segmentation with and without it, a table and a picture
	@$(RUN) tools/demo.py

test: setup  ## the default tests (PYTEST_ARGS=--slow: all), then those of the GPU where there is one
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(or $(JOBS),2) $(PYTEST_ARGS)
	@! nvidia-smi -L >/dev/null 2>&1 || OMP_NUM_THREADS=1 $(RUN) -m pytest --gpu -m gpu

lint: setup  ## ruff, as CI runs it
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

doctor: setup  ## what is installed, whether it works, what clashes
	@$(RUN) -m semcl_mm.doctor

clean:  ## caches and build files; keeps .venv, built wheels, data and runs
	@rm -rf .pytest_cache .ruff_cache build .build/*.log .build/*.txt .build/wheels.partial
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

clean-venv:  ## .venv as well (built mmcv wheels stay in .build/wheels)
	@rm -rf .venv
