# make          the list of targets
# make tables   the environment, then every table of the default scale
# make test     the environment, then the tests, except the long ones
#
# An active conda environment that has the suite (environment.yml) is used as it is; else .venv is
# made here, once, and again when the pins change.

CORES ?= all
SCALE ?= digits
# The newest Python that runs and can make an environment: a name on the PATH can be a shim of a
# version that is not installed.
RUNS = $(shell $(1) -c "import ensurepip, venv" > /dev/null 2>&1 && echo $(1))
PYTHON ?= $(firstword $(foreach version,3.14 3.13 3.12 3.11,$(call RUNS,python$(version))))
# Processes that share the tests, each on one core.
WORKERS ?= 2

ifneq ($(and $(CONDA_PREFIX),$(wildcard $(CONDA_PREFIX)/bin/replication)),)
BIN := $(CONDA_PREFIX)/bin
ENVIRONMENT :=
else
BIN := $(CURDIR)/.venv/bin
ENVIRONMENT := .venv/installed
endif

# The console commands of the environment come first for make, Snakemake and their jobs alike.
export PATH := $(BIN):$(PATH)
# Snakemake and others keep files in a home that can be written.
ifneq ($(shell test -w "$(HOME)" && echo writable),writable)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif
SNAKEMAKE := snakemake --cores $(CORES) --configfile config/$(SCALE).yaml

.PHONY: help environment tables study report site test test-all benchmark benchmark-gpu gpu-lineage lint tutorial schemas clean

help:
	@echo "make tables       build every table, figure and notebook of the scale (SCALE=$(SCALE), CORES=$(CORES))"
	@echo "make study        train and measure a study of your own, STUDY=my-study (replication new my-study)"
	@echo "make report       put tables, figures and notebooks into one HTML file, results/$(SCALE)/report.html"
	@echo "make site         build a website of documents and published results in site/, offline"
	@echo "make test         run the tests, except the long ones"
	@echo "make test-all     run the long tests: Slurm, a sweep of a thousand runs, random kills"
	@echo "make benchmark    compare the speed with other training loops; see docs/explanation/performance.md"
	@echo "make benchmark-gpu  the same on a GPU, in less than ten minutes"
	@echo "make gpu-lineage  train one lineage of Table 3 at the paper's size on a GPU, in nine minutes"
	@echo "make lint         check style, types and workflow"
	@echo "make schemas      regenerate the JSON schemas and the columns in docs/reference/result-files.md"
	@echo "make tutorial     execute notebooks/tutorial.ipynb again and save its outputs"
	@echo "make clean        delete the environment; results stay"

environment: $(ENVIRONMENT)

.venv/installed: requirements.txt pyproject.toml
	@echo "== creating the environment in .venv (once; takes a few minutes and 7 GB)"
	@test -n "$(PYTHON)" || { echo "error: no Python from 3.11 to 3.14 runs here: install one, or name it with PYTHON=/path/to/python3"; exit 1; }
	@test -n "$(call RUNS,$(PYTHON))" || { echo "error: $(PYTHON) does not run here or cannot make an environment: install it with its venv module, or name another with PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

tables: $(ENVIRONMENT)
	@echo "== building all tables at scale $(SCALE); existing results are kept"
	$(SNAKEMAKE)
	@echo "== done"
	@replication summary --configfile config/$(SCALE).yaml

study: $(ENVIRONMENT)
	@test -n "$(STUDY)" || { echo "error: name the folder of the study: make study STUDY=my-study"; exit 1; }
	@test -f "$(STUDY)/study.yaml" || { echo "error: $(STUDY)/study.yaml: no such file; create it with: replication new $(STUDY)"; exit 1; }
	@echo "== training and measuring the study $(STUDY); existing results are kept"
	snakemake --cores $(CORES) --configfile "$(STUDY)/study.yaml"
	@echo "== done"
	@replication summary --configfile "$(STUDY)/study.yaml"

report: tables
	@echo "== writing results/$(SCALE)/report.html"
	$(SNAKEMAKE) --report results/$(SCALE)/report.html

site: $(ENVIRONMENT)
	@echo "== building the website of documents and published results"
	python -m website site

test: $(ENVIRONMENT)
	@echo "== running the tests; this takes a few minutes on two cores"
	pytest -m "not long" -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	@echo "== skipped the long tests (Slurm, a sweep of a thousand runs, random kills): make test-all runs them"

test-all: $(ENVIRONMENT)
	@echo "== running the long tests"
	pytest -m long -n $(WORKERS) --dist loadfile --no-loadscope-reorder

benchmark: $(ENVIRONMENT)
	@echo "== measuring on this machine, which should otherwise be idle"
	python -m benchmarks everything

benchmark-gpu: $(ENVIRONMENT)
	@echo "== measuring a GPU; this takes less than ten minutes and needs no network"
	python -m benchmarks gpu --device cuda

gpu-lineage: $(ENVIRONMENT)
	@echo "== training Wide-ResNet-28-2 of Table 3 at the paper's size, for as long as nine minutes allow"
	python -m benchmarks lineage --device cuda

lint: $(ENVIRONMENT)
	@echo "== checking style, types and workflow"
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	mypy
	snakemake --lint

tutorial: $(ENVIRONMENT)
	python -m nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/tutorial.ipynb

schemas: $(ENVIRONMENT)
	replication schema scale > config/scale.schema.json
	replication schema table > tables/table.schema.json
	sed -i "/replication schema results/q" docs/reference/result-files.md
	(echo && replication schema results) >> docs/reference/result-files.md

clean:
	rm -rf .venv
