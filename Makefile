# Every job of the project, one target each; CI and pre-commit call these, so there is one list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# exact versions of everything: the published numbers were made with them; empty takes the newest that pyproject allows
CONSTRAINTS ?= constraints.txt
# uv, where it is there, installs much faster than pip; UV= takes pip. It is tried: a shim may stand for nothing
UV ?= $(shell uv --version > /dev/null 2>&1 && command -v uv)
# `cpu` takes CPU builds of torch and torchvision from TORCH_INDEX, an index or a folder of wheels; .venv keeps the choice
KEPT := $(shell cat $(VENV)/.torch 2> /dev/null)
TORCH ?= $(KEPT)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# the environment of make test-lowest, and the day as of which its versions are found: what comes out later can't change them
LOWEST ?= .venv-lowest
LOWEST_DAY ?= 2026-11-28
DATA ?=
GPUS ?=
ARGS ?=
# every data file is a benchmark to train on, but `distorted`: one's own photographs, for first stages
NAMES := $(filter-out distorted,$(basename $(notdir $(wildcard configs/data/*.yaml))))
TRAIN := $(addprefix train-,$(NAMES))
SPLITS ?= 0
# seconds between two lines that say how far the installation is
EVERY ?= 15
JOBS ?= 2
RUNS ?=
TO ?=

ifeq ($(filter-out cpu,$(TORCH)),)
else
$(error TORCH=$(TORCH) is no build: TORCH=cpu takes CPU builds, without TORCH it is what the registry has, with CUDA)
endif
ifneq ($(TORCH),$(KEPT))
ifneq ($(wildcard $(VENV)/.installed),)
$(error $(VENV) has torch $(if $(KEPT),for the CPU,with CUDA): remove that folder first, or name another with VENV=)
endif
endif
# a program of its own, found when it is needed; without bytecode every start would compile all of torch anew where none may be written
PIP = $(if $(UV),$(UV) pip install --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install) --quiet
LOCK = $(if $(CONSTRAINTS),--constraint $(if $(TORCH),$(VENV)/constraints-cpu.txt,$(CONSTRAINTS)))
CPU_FROM = $(if $(wildcard $(TORCH_INDEX)),--find-links,--extra-index-url) '$(TORCH_INDEX)' $(if $(UV),--index-strategy unsafe-best-match)
MEGABYTES = $(if $(TORCH),1700,6500)

.PHONY: help install demo test test-runs test-lowest test-portable test-browser test-distributed test-faults test-fuzz test-cluster
.PHONY: docs test-docs drawing check format bench bench-growth bench-gpu methods keep pretrained image clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  make train-BENCHMARK       Train on $(NAMES), then test;'
	@echo '                             DATA=folder of the benchmark  GPUS=devices  ARGS="more for sdsiqa fit"'

install: $(VENV)/.installed  ## Install into .venv; does nothing the second time

# torch and torchvision must come from one build: the constraints name both exactly, and their import is tried
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo '$(TORCH)' > $(VENV)/.torch
ifeq ($(TORCH),cpu)
	@test -n '$(CONSTRAINTS)' || { echo 'TORCH=cpu needs the versions of torch and torchvision: CONSTRAINTS=file' >&2; exit 1; }
	@sed -E 's/^(torch|torchvision)==+([^+]*)$$/\1===\2+cpu/' $(CONSTRAINTS) > $(VENV)/constraints-cpu.txt
	@pair="$$(grep -E '^(torch|torchvision)==' $(VENV)/constraints-cpu.txt)"; \
	$(PIP) --dry-run --no-deps $(CPU_FROM) $$pair > /dev/null || { \
	  echo "found no CPU builds" $$pair "in $(TORCH_INDEX): name an index or a folder of wheels that has both with TORCH_INDEX=," \
	    "or other versions in a copy of constraints.txt with CONSTRAINTS=" >&2; exit 1; }
endif
	@echo 'installing into $(VENV)$(if $(UV), by uv): about $(MEGABYTES) MB, a few minutes on two idle cores and a fast line' >&2
	@$(PIP) $(LOCK) $(if $(TORCH),$(CPU_FROM)) --editable '.[dev]' & pip=$$!; \
	trap 'kill $$pip' INT TERM; start=$$SECONDS; \
	while kill -0 $$pip 2> /dev/null; do \
	  for wait in {1..$(EVERY)}; do sleep 1; kill -0 $$pip 2> /dev/null || break 2; done; \
	  echo "  $$(du -sm $(VENV) 2> /dev/null | cut -f1) of about $(MEGABYTES) MB after $$((SECONDS - start)) s" >&2; \
	done; wait $$pip
	@echo 'trying the import of torch, the slowest of all' >&2
	@$(BIN)/python -W ignore -c 'import torch, torchvision, timm, lightning' || { \
	  echo 'torch and torchvision do not fit together: remove $(VENV) and run make install again' >&2; exit 1; }
	@touch $@

# the runs of this call alone are reported: older ones may have other settings, or were stopped
demo: install  ## Make the Demo benchmark, train SDS-IQA, test, print a table; SPLITS="0 1 2" for three splits
	@export SDSIQA_RUN_LIST="$$(mktemp)" && trap 'rm -f "$$SDSIQA_RUN_LIST"' EXIT && \
	for split in $(SPLITS); do $(BIN)/sdsiqa fit -c configs/demo.yaml --data.split $$split $(ARGS) || exit 1; done && \
	tr '\n' '\0' < "$$SDSIQA_RUN_LIST" | xargs -0 $(BIN)/sdsiqa report --out runs/report-demo

# several processes of one thread each; more of them gain little, since the longest tests are whole runs
test: install  ## Run the tests, offline; JOBS=4 for more processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not browser and not slow' $(ARGS)

test-runs: install  ## Run the tests that start whole programs, trainings most of them (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'slow and not browser' $(ARGS)

test-lowest: $(LOWEST)/.installed  ## Run the tests with the lowest versions that pyproject.toml allows, in .venv-lowest
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n $(JOBS) --dist worksteal -m 'not browser and not slow' \
	  -W ignore::DeprecationWarning $(ARGS)

# old libraries call new ones as these deprecate: ours are errors in `make test`; pip has no such choice of versions, so uv must be had
$(LOWEST)/.installed: pyproject.toml
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(if $(UV),,$(LOWEST)/bin/python -m pip install --quiet 'uv>=0.9')
	$(or $(UV),$(LOWEST)/bin/uv) pip install --compile-bytecode --python $(LOWEST)/bin/python --quiet --resolution lowest-direct \
	  --exclude-newer $(LOWEST_DAY) --editable '.[dev]'
	@touch $@

test-portable: install  ## Run the numerical tests on every kernel of BLAS and PyTorch that this processor can run (five minutes)
	@$(BIN)/python -m tools.portable $(ARGS)

# Playwright comes without a browser of its own: it drives the system's
test-browser: install  ## Open the pages of the report and of the app in Chromium; installs what is missing
	@command -v chromium chromium-browser google-chrome > /dev/null || { \
	  echo 'installing chromium'; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq; apt-get install -qq -y --no-install-recommends chromium; \
	  else sudo -n apt-get install -qq -y --no-install-recommends chromium; fi > /dev/null || { \
	    echo 'no Chromium could be installed: apt-get install chromium, as root' >&2; exit 1; }; }
	@$(BIN)/python -c 'import playwright' 2> /dev/null || \
	  $(PIP) $(LOCK) --editable '.[dev,browser]'
	$(BIN)/python -m pytest -m browser $(ARGS)

test-fuzz: install  ## Run 300 commands with a seeded fault each; FIRST=1000 for other seeds (three minutes)
	FIRST=$(or $(FIRST),0) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/system/fuzz $(ARGS)

test-faults: install  ## Kill, poison and starve real runs; RECORD=1 renews the table in docs/runs.md (minutes)
	$(BIN)/python -m pytest -s tests/system/faults $(ARGS)

test-cluster: install  ## Start a real SLURM (installed if missing, as root), submit, requeue, kill, stop it again (minutes)
	$(BIN)/python -m pytest -s tests/system/cluster $(ARGS)

test-distributed: install  ## Any number of processes gives the scores of one (minutes)
	$(BIN)/python -m pytest tests/system/distributed $(ARGS)

# strict: a warning is an error, and so is a dead link or anything that a page would load from the net
docs: install  ## Build the documentation into site/; installs what is missing
	@$(BIN)/python -c 'import sphinx, myst_parser, pydata_sphinx_theme, sphinx_design, nbclient, ipykernel' 2> /dev/null || \
	  $(PIP) $(LOCK) --editable '.[dev,docs]'
	@rm -rf site
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs site
	$(BIN)/python -m tools.site site
	@echo 'open site/index.html'

test-docs: docs  ## Build the documentation, and run the notebook of examples/ (a minute)
	$(BIN)/python -m pytest tests/system/docs $(ARGS)

drawing: install  ## Draw SDS-IQA, into docs/images/sds-iqa.svg
	$(BIN)/python -m tools.drawing $(ARGS)

check: install  ## Lint (the Dockerfile too), formatting, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

format: install  ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install  ## Measure speed and memory side by side, into results/bench.json and docs/performance.md
	$(BIN)/python -m bench $(ARGS)

bench-growth: install  ## Measure what a picture costs as there are more of them, into results/growth.json
	$(BIN)/python -m bench.growth $(ARGS)

bench-gpu: install  ## Measure the step on a GPU and the loader over all cores, into results/bench-gpu.json
	$(BIN)/python -m bench.gpu $(ARGS)

methods: install  ## Say what every method is, into docs/methods.md; ARGS="--measure 5" times them, too
	$(BIN)/python -m tools.methods $(ARGS)

# what others need to trust a number, without weights, logs and pictures of the benchmark
keep: install  ## Copy what is small of finished runs, and put their tables where a document has marks for them: RUNS="runs/livec-*" TO=results/livec
	@mkdir -p $(TO)
	@for run in $(RUNS); do \
	  grep -qs '"state": "finished"' "$$run/run.json" || { echo "left out: $$run is no finished run" >&2; continue; }; \
	  tar -C "$$(dirname "$$run")" --exclude checkpoints --exclude wandb --exclude 'panel-*' \
	  --exclude manifest.json --exclude course.jsonl --exclude '.*' -c "$$(basename "$$run")" | tar -C $(TO) -x || exit 1; done
	$(BIN)/sdsiqa report $(TO) $$(grep -lE '^<!-- (results|summary) $(notdir $(TO:/=)) -->' README.md docs/*.md | sed 's/^/--readme /')

# a benchmark with a run file of its own, such as Demo, takes it; the others share one
CONFIG = $(if $(wildcard configs/$1.yaml),-c configs/$1.yaml,-c configs/base.yaml --data configs/data/$1.yaml)
# a static pattern: make looks for no implicit rule of a phony target
.PHONY: $(TRAIN)
$(TRAIN): train-%: install
	@echo 'training on $*: $(call CONFIG,$*)$(if $(DATA), with the files in $(DATA))$(if $(GPUS), on $(GPUS) devices), into runs/'
	$(BIN)/sdsiqa fit $(call CONFIG,$*) \
	  $(if $(DATA),--data.benchmark.init_args.root "$(DATA)") $(if $(GPUS),--trainer.devices $(GPUS)) $(ARGS)

pretrained: install  ## Train the model that ships, and put it into the package: DATA=/path/to/ChallengeDB_release (an hour or two without a GPU)
	@export SDSIQA_RUN_LIST="$$(mktemp)" && trap 'rm -f "$$SDSIQA_RUN_LIST"' EXIT && \
	$(BIN)/sdsiqa fit $(call CONFIG,livec) -c configs/overlay/few_images.yaml -c configs/overlay/shipped.yaml --run.method shipped \
	  $(if $(DATA),--data.benchmark.init_args.root "$(DATA)") $(ARGS) && \
	$(BIN)/python -m tools.pretrained "$$(head -n 1 "$$SDSIQA_RUN_LIST")"

image: ## Build the container image
	docker build --tag sdsiqa .

clean:  ## Remove what tools leave behind; runs and data stay
	rm -rf site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage dist
	find src tests -name __pycache__ -type d -exec rm -rf {} +
