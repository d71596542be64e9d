# make demo   the whole job on real data: preprocess, train, evaluate, export, serve, recommend
# make test   the tests
# make check  ruff and mypy
# make docs   the site of docs/, in site/: open site/html/index.html
# make notebooks   runs examples/*.ipynb and keeps their outputs
# make audit  known vulnerabilities of what is installed (asks PyPI's advisory service)
# make wheel  dist/m2trec_merlin-VERSION-py3-none-any.whl
# make check-install   installs that wheel in fresh environments and uses it
#
# Each sets up .venv on first use and reuses it afterwards.
# Choose another interpreter with PYTHON=python3.12, a smaller torch with UV_TORCH_BACKEND=cpu, cuDF with
# `make setup GPU=1` (1.3 GB more, a driver for CUDA 13).

PYTHON ?= python3
GPU ?=
VENV := .venv
BIN := $(VENV)/bin
comma := ,
EXTRAS := serve,sentences,web,baselines,mlflow,bench,dev$(if $(GPU),$(comma)gpu)
STAMP := $(VENV)/.installed$(if $(GPU),-gpu)
# What the site and the notebooks are made with, installed with the first of them.
WRITERS := $(VENV)/.installed-docs

# uv does not read pip's configuration; hand it the folder of local wheels, where pip is told of one.
FIND_LINKS = $${UV_FIND_LINKS:-$$($(BIN)/python -m pip config get global.find-links 2>/dev/null || true)}

install = export UV_FIND_LINKS="$(FIND_LINKS)"; VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install \
	--quiet --editable '.[$(1)]'

.PHONY: setup demo test check docs notebooks audit wheel check-install format clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@echo "Setting up $(VENV) (the first time takes a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "m2trec-merlin needs Python 3.10, 3.11 or 3.12; try: make PYTHON=python3.11 setup"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade uv
	@$(call install,$(EXTRAS))
	@touch $(STAMP)
	@echo "$(VENV) is ready"

$(WRITERS): $(STAMP)
	@$(call install,$(EXTRAS)$(comma)docs)
	@touch $(WRITERS)

demo: setup
	@$(BIN)/m2trec demo

# Side by side, one more than there are cores, as many wait for servers and other processes; each file in one process,
# which builds its world once.
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $$(( $$(nproc) + 1 )) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Warnings, of which broken links and anchors are some, are errors.
docs: $(WRITERS)
	@rm -rf site
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs -d site/doctrees -b html . site/html
	@echo "site/html/index.html is written"

notebooks: $(WRITERS)
	@$(BIN)/python examples/run_notebooks.py

audit: setup
	@$(BIN)/python -m audit

wheel: setup
	@rm -rf dist
	@export UV_FIND_LINKS="$(FIND_LINKS)"; $(BIN)/uv build --quiet --wheel --out-dir dist

check-install: wheel
	@export UV_FIND_LINKS="$(FIND_LINKS)"; release/check_install.sh $(abspath $(BIN)/python) $(abspath $(BIN)/uv) dist/*.whl

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist site *.egg-info
