# Two commands do it all: make book, make test. The rest is in make help.
# Override on the command line: make book PYTHON=python3.12

# tools/wheels.csv: there is a TensorFlow for these, and for no other Python.
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c "$(FITS)" 2>/dev/null && echo $$python && break; done),python3)
VENV ?= .venv
BIN = $(VENV)/bin
PORT ?= 8000

# Small networks run fastest with one thread, and the same on every machine.
export OMP_NUM_THREADS ?= 1
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help book test pdf dist screenshots slides assignments lab notebooks serve bench coverage mutants lint lock links binder newest clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# One installation serves all; it is repeated only when the pins change.
$(VENV)/installed: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c "$(FITS)" 2>/dev/null || { \
	  echo "This book needs Python 3.11, 3.12 or 3.13; $(PYTHON) is"; $(PYTHON) --version; \
	  echo "Get one from your system (apt install python3.13-venv, brew install python@3.13),"; \
	  echo "or by 'uv python install 3.13', or by pyenv. If make does not find it then,"; \
	  echo "name it: make book PYTHON=path/to/python3.13"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	@touch $@

SLIDES = $(BIN)/sphinx-build -b revealjs -E -a -W -n --keep-going -q \
  -d _build/.doctrees-slides slides _build/html/slides
SITE = $(BIN)/jupyter-book build . -n -W --keep-going --quiet

# Executed notebooks are cached by their own code alone; the first line drops
# the cache when the code they import, or the results they read, have changed.
book: $(VENV)/installed  ## Execute every notebook and render the book to _build/html
	@rm -rf _build/html/reports
	$(BIN)/python tools/drop_stale_cache.py
	$(SITE)
	$(if $(wildcard slides/conf.py),$(SLIDES))
	@touch _build/html/index.html
	@echo "Open it: file://$(CURDIR)/_build/html/index.html"

pdf: book  ## Print the book to _build/book.pdf (needs Chromium)
	$(SITE) --builder singlehtml
	$(BIN)/python -m tools.pdf

dist: book  ## Pack the rendered book into one file to open without a network
	$(BIN)/python -c "import shutil; shutil.make_archive('_build/book', 'zip', '_build', 'html')"

screenshots: book  ## Photograph the book for README.md (needs Chromium)
	$(BIN)/python -m tools.screenshots

# Notebooks that make book has executed, by the present code, are only compared.
WORKERS ?= 2
test: $(VENV)/installed  ## Run every unit test and every notebook
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --nbval-lax --nbval-cell-timeout=3600 tests notebooks

UNITS = maml ppo envs tasks baselines own_class test_students.py test_figures.py
coverage: $(VENV)/installed  ## Measure which lines of refimpl its unit tests run
	$(BIN)/coverage run -m pytest $(UNITS:%=tests/%)
	$(BIN)/coverage report

lab: $(VENV)/installed  ## Open JupyterLab in the book's folder
	$(BIN)/jupyter lab $(LAB)

notebooks: $(VENV)/installed  ## Execute every notebook again and store its outputs
	$(BIN)/python tools/notebooks.py notebooks/*.ipynb

serve: book  ## Serve the rendered book at http://localhost:8000
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

lint: $(VENV)/installed  ## Check style, types and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*
	$(BIN)/mypy

slides: $(VENV)/installed  ## Make the slides alone, in _build/html/slides
	$(SLIDES)

assignments: $(VENV)/installed  ## Make the students' versions of the assignments
	$(BIN)/python tools/assignments.py

links: $(VENV)/installed  ## Check the links to other sites
	$(BIN)/jupyter-book build . --builder custom --custom-builder linkcheck

binder: $(VENV)/installed  ## Try what Binder would do, without Docker
	$(BIN)/python -m tools.check_binder $(BINDER)

# The libraries that the book is compared with live apart, in _build/bench.
BENCH = torchopt==0.7.3 higher==0.2.1 optree==0.20.0 graphviz==0.21 \
  stable-baselines3==2.9.0
bench: $(VENV)/installed  ## Measure the speed of MAML and PPO beside other libraries
	$(BIN)/pip install --quiet --no-deps --upgrade --target _build/bench $(BENCH)
	$(BIN)/pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
	  -d _build/bench learn2learn==0.2.0
	tar -xzf _build/bench/learn2learn-0.2.0.tar.gz -C _build/bench
	PYTHONPATH=_build/bench $(BIN)/python -m benchmarks.maml
	PYTHONPATH=_build/bench $(BIN)/python -m benchmarks.ppo

# What makes the mutants lives apart too.
mutants: $(VENV)/installed  ## Break the core's code in every place: do its tests notice?
	$(BIN)/pip install --quiet --no-deps --upgrade --target _build/mutants \
	  cosmic-ray==8.7.0 stevedore==5.10.0
	PYTHONPATH=_build/mutants $(BIN)/python -m tools.mutants

# What must not move, and why, stands in requirements.txt. One test compares versions.
HELD = jupyter-book|sphinx-book-theme|pydata-sphinx-theme
newest:  ## Build and test with the newest versions of everything, in _build/newest
	$(PYTHON) -m venv _build/newest
	sed -E '/^($(HELD))==/!s/==[^ ]+//' requirements.txt > _build/newest/requirements.txt
	_build/newest/bin/pip install --quiet -r _build/newest/requirements.txt
	touch _build/newest/installed
	$(MAKE) book VENV=_build/newest
	$(MAKE) test VENV=_build/newest PYTEST_ADDOPTS="\
	  --deselect tests/test_pins.py::test_what_is_installed_is_what_is_locked \
	  --deselect tests/test_check_environment.py::test_nothing_is_wrong_here"

lock: $(VENV)/installed  ## Write the installed versions to constraints.txt
	$(BIN)/python tools/lock.py

clean:  ## Remove everything that was built, the environment too
	rm -rf _build $(VENV) *.egg-info
