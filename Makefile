# One verb per need. Set-up happens by itself; PYTHON may name another Python of 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
TRAIN_VENV ?= .venv-train
STACKS_VENV ?= .venv-stacks
RUN := $(VENV)/bin/python
TRAIN_RUN := $(TRAIN_VENV)/bin/python
STACKS_RUN := $(STACKS_VENV)/bin/python
SITE_VENV ?= .venv-site

.PHONY: help setup demo test test-main test-stacks test-training test-site check bench quality mutate site pictures figures release clean

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## build the environment
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	$(RUN) -m pip install --quiet --editable . --group dev
	touch $@

demo: setup  ## crop real photos to several ratios; prints where the contact sheet is
	$(RUN) examples/demo.py build/demo

test: test-main test-stacks  ## everything but the training; needs no torch

test-main: setup  ## all of that but Thumbor, Wagtail and Django, which are skipped
	$(RUN) -m pytest

test-stacks: $(STACKS_VENV)/.ready  ## inside a real Thumbor, Wagtail and Django
	$(STACKS_RUN) -m pytest tests/integrations/test_thumbor.py tests/integrations/test_wagtail.py \
	  tests/integrations/test_django.py
$(STACKS_VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(STACKS_VENV)
	$(STACKS_RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	$(STACKS_RUN) -m pip install --quiet --editable . --group stacks
	touch $@

test-training: $(TRAIN_VENV)/.ready  ## a few steps of training, export, numbers compared
	$(TRAIN_RUN) -m pytest tests/training
$(TRAIN_VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	$(TRAIN_RUN) -m pip install --quiet --editable . --group train
	touch $@

check: setup  ## style, words and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m tests.test_words
	$(RUN) -m mypy

bench: setup  ## time, beside rivals
	$(RUN) -m benchmarks.speed

DATA ?= ../shared/data
quality: setup  ## quality on held-back data, beside rivals; DATA names the folder of the shards
	$(RUN) -m benchmarks.quality --shards $(DATA) --store build/store

COUNT ?= 50
mutate: setup  ## change the core at random, and list what the tests do not notice; COUNT changes are tried
	$(RUN) -m pip install --quiet 'cosmic-ray>=8.3'
	$(RUN) -m benchmarks.mutation --count $(COUNT)

site: $(SITE_VENV)/.ready  ## build the documentation site into build/site; a warning is an error
	$(SITE_VENV)/bin/python docs/.site/parts.py build/parts
	NO_MKDOCS_2_WARNING=1 $(SITE_VENV)/bin/python -m mkdocs build --strict
$(SITE_VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(SITE_VENV)
	$(SITE_VENV)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(SITE_VENV)/bin/python -m pip install --quiet --group docs
	touch $@

test-site: setup site  ## the site's page to try, in a real browser
	$(RUN) -m pytest tests/integrations/test_try_page.py

pictures: setup  ## draw the pictures that the site explains with, and its gallery beside other croppers
	$(RUN) -m pip install --quiet pyvips pyvips-binary smartcrop
	$(RUN) examples/docs_pictures.py docs/images
	$(RUN) -m benchmarks.gallery docs/images/gallery
	$(RUN) examples/page_picture.py docs/images/page.jpg

figures: setup  ## say how each figure of the docs is made, make the cheap ones again, write docs/figures.md
	$(RUN) -m benchmarks.figures

release:  ## build wheel and sdist, try both in empty environments; FINAL=yes refuses what is unfinished
	$(PYTHON) .ci/release.py $(if $(FINAL),--final)

clean:  ## remove what the other verbs built
	rm -rf $(VENV) $(TRAIN_VENV) $(STACKS_VENV) $(SITE_VENV) build dist
