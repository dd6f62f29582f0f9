# Everything a newcomer needs: make demo, make test. All of it runs in .venv.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= $(or $(LIBCELL_TEST_DATA),../shared/data)

.PHONY: install demo test check bench scale licences release schemas docs site blocks clean examples engines faults fuzz cluster objectstore

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# the whole pipeline on real images, through all eight commands, to a report
demo: install
	$(BIN)/python examples/demo.py --data $(DATA) --output demo

# a dask cluster of processes: every block-wise command on it, and what may befall it
cluster: install
	$(BIN)/python -m tests.cluster

# an S3 server behind a proxy that fails
objectstore: install
	$(BIN)/python -m tests.objectstore

# what CI runs
test: install check
	$(BIN)/python -m pytest -n 2

check: install
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# speed and memory against named peers, as ratios
bench: install
	$(BIN)/python -m tests.peers.bench --data $(DATA)

# every recipe of examples/ with its defaults, and what each must reach; half an hour on two cores
examples: install
	$(BIN)/python -m tests.recipes --data $(DATA) --output .examples

# other people's workflow engines and linters, whose needs clash with ours: .engines/NAME
engines: .engines/workflows/installed .engines/fractal/installed

.engines/workflows/installed: WANTED := snakemake==9.27.1 nf-core==4.2.1
.engines/fractal/installed: WANTED := fractal-server==2.18.5
.engines/%/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-compile $(WANTED)
	touch $@

# kills, full and slow disks, clocks, company, inputs in motion: all as docs/robustness.md promises
faults: install
	$(BIN)/python -m tests.faults

# damaged and hostile input through every reader, each case in a watched process of its own
fuzz: install
	$(BIN)/python -m tests.fuzz

# how the whole pipeline's time, memory and files grow with the number of fields of view
scale: install
	$(BIN)/python -m tests.scale

# licences of all that runs with libcell, from its metadata; fails where one is not permissive
licences: install
	$(BIN)/python -m tests.release.licences --page docs/licences.md

# build into dist/, look at it, run it in empty environments; uploads nothing (docs/releasing.md)
release: install
	$(BIN)/python -m tests.release

# the JSON Schemas, from libcell/schema
schemas: install
	$(BIN)/python -m libcell.schema export schemas

# one page per command and per schema, from --describe and the models
docs: install
	$(BIN)/python -m libcell.cli.pages docs

# the documentation as a site that needs no network: site/index.html; a bad link is an error
site: docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html; addresses elsewhere, not visited: site/links-elsewhere.json"

# every code block of README and docs, run on small data with the names that the pages use
blocks: install
	$(BIN)/python -m tests.docs_blocks -j 1

clean:
	rm -rf .venv demo .bench .examples build dist site
