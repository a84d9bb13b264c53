# make demo starts ImgSim; make help lists the rest.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
PHOTOS ?=
TESTS ?=
IN_PARALLEL := --numprocesses=3 --dist=loadfile --no-loadscope-reorder  # one waits while two work
VAR := $(or $(IMGSIM_VAR),var)
VENV_PYTHON := .venv/bin/python
# For every platform, and every Python from the oldest on.
LOCK := .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(NEWER),--upgrade)
CHECK_PYTHON := import sys; sys.version_info >= (3, 11) or sys.exit("ImgSim needs Python 3.11 or newer, and this is " \
	+ sys.version.split()[0] + ". Name another: make PYTHON=python3.12")

.PHONY: help setup setup-dev demo test test-all test-faults lint lock translations screenshot bench clean

help:  ## list what make can do
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup:  ## make .venv with what ImgSim needs to run
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@$(PYTHON) imgsim_site/bootstrap.py requirements.lock

setup-dev:  ## make .venv with what the tests and linters need on top
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@$(PYTHON) imgsim_site/bootstrap.py requirements-dev.lock

demo: setup  ## start everything on this machine (PORT=8001, PHOTOS=~/Pictures, HOST=0.0.0.0)
	@exec $(VENV_PYTHON) manage.py demo --host "$(HOST)" --port "$(PORT)" $(if $(PHOTOS),--photos "$(PHOTOS)")

test: setup-dev  ## run the tests, the browser's too (TESTS="tests/search -k upload" for some)
	@$(VENV_PYTHON) -m imgsim_site.chromium
	@exec $(VENV_PYTHON) -m pytest -q $(or $(TESTS),-m "not thorough and not faults" $(IN_PARALLEL))

test-all: setup-dev  ## run those too that take long and show in more places what others show in one
	@$(VENV_PYTHON) -m imgsim_site.chromium
	@exec $(VENV_PYTHON) -m pytest -q -m "not faults" $(IN_PARALLEL)

test-faults: setup-dev  ## kill, fill and stop each part under 500 pictures; one at a time, some 20 minutes
	@exec $(VENV_PYTHON) -m pytest -q $(or $(TESTS),tests/faults)

screenshot: setup-dev  ## take the pictures of README and docs/tour.md anew
	@KEEP_SCREENSHOT=1 $(VENV_PYTHON) -m pytest -q tests/browser -k screenshot

lint: setup-dev  ## check style, types, what is insecure and the direction of imports
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy imgsim_site search embeddings
	@.venv/bin/lint-imports

lock: setup-dev  ## write requirements*.lock anew from requirements*.txt (NEWER=1 for newer parts of theirs)
	@$(LOCK) requirements-dev.txt --output-file requirements-dev.lock
	@for name in requirements requirements-gpu requirements-s3; do \
		$(LOCK) --constraints requirements-dev.lock $$name.txt --output-file $$name.lock || exit; done

translations: setup-dev  ## bring locale/*.po up to the texts in templates and code, and say what is not translated
	@$(VENV_PYTHON) -m imgsim_site.translations update

bench: setup-dev  ## measure import, search, page, ranking, filters, many clients, beside a floor or peers
	@exec $(VENV_PYTHON) -m benchmarks

clean:  ## remove .venv and all pictures, vectors and encoders, after asking
	@printf 'Remove .venv and %s with every picture and vector in it? [y/N] ' '$(VAR)'; \
	read answer && [ "$$answer" = y ] && rm -rf .venv .venv.lock '$(VAR)' && echo Removed. || echo Nothing was removed.
