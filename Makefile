# Every task in one line; `make` alone lists them.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
ifneq ($(torch),)
OTHER := .venv-torch-$(torch)-py$(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif
BOOK := _build/.built
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
CODE := src tests tools coursework conftest.py
# the node and npm that pip brings; only JavaScript's own tools need what npm installs
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
NPM := $(WITH_NODE) $(BIN)/npm
NODE_READY := node_modules/.ready
jobs ?= logical
ifeq ($(device),fake)
only ?= notebooks
endif

# an environment knows where it lies: one that was moved, or lost its Python, is no longer ready
$(shell [ "$$(cat $(READY) 2>/dev/null)" = "$$(pwd)" ] && [ -x $(BIN)/python ] || rm -f $(READY))
# matplotlib, npm and Chromium keep things at home; who has none gets one here
ifneq ($(shell [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(shell mkdir -p _build/home 2>/dev/null; pwd)/_build/home
endif
ifneq ($(filter-out help,$(MAKECMDGOALS)),)
ifneq ($(shell [ -w . ] && echo yes),yes)
$(error You may not write in $(CURDIR), which belongs to $(shell ls -ld . | awk '{print $$3}'): clone the book into a folder of your own)
endif
endif

# what a part of the tests needs; all of them also the linters
needs = $(if $(filter $(1),$(only)),$(2))
NEEDS := $(if $(filter src% notebooks% tests/%,$(filter-out tests/,$(only))), \
  $(call needs,tests/book%,$(BOOK) firefox) \
  $(call needs,tests/book% tests/figures% tests/coursework%,chromium) \
  $(call needs,tests/coursework%,bubblewrap) \
  $(call needs,tests/checking%,$(NODE_READY)), $(BOOK) chromium firefox bubblewrap lint)

export LAYERS_BOOK_DEVICE := $(device)

.DEFAULT_GOAL := help
.PHONY: help book test check notebooks last serve lab new lock lint format bench bench-grading site-check offline pdf epub anki chromium firefox bubblewrap clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

book: $(BOOK) ## build the book into _build/html from the stored outputs
	@echo "The book: _build/html/index.html"
	@echo "To serve it: $(BIN)/python -m http.server -d _build/html 8000"

test: $(if $(torch),$(OTHER)/.ready,$(READY) $(NEEDS)) ## everything; a part: only=tests/pages; on a GPU: device=cuda; the notebooks on a pretended one: device=fake; notebooks and helpers on another torch: torch=2.15.0, lowest, newest
	$(if $(torch),$(OTHER)/bin,$(BIN))/python -m pytest -q -n $(jobs) --alone $(or $(only),$(if $(torch),src tests/helpers notebooks))

check: $(READY) ## one page's own tests, in seconds: make check page=basic/linear
	@$(BIN)/python tools/check_page.py $(page)

notebooks: $(READY) ## execute the pages that changed, or what they use; all=1: all of them
	$(BIN)/python tools/pages.py $(if $(all),--all)
	@$(BIN)/python tools/references.py

last: $(READY) ## do the results last? at ten times the training: factor=10; one page: page=basic/dropout
	@$(BIN)/python tools/last.py "$(or $(factor),10)" $(page)

serve: $(READY) ## rebuild and reload in the browser while you write: port=8000
	$(BIN)/python tools/serve.py $(port)

lab: $(READY) ## JupyterLab in the locked environment
	@$(BIN)/python -c 'import jupyterlab' 2>/dev/null || $(PIP) jupyterlab -c requirements.lock
	$(BIN)/python -m jupyterlab notebooks

new: $(READY) ## start a page from the template: make new page=normalization/foo
	$(BIN)/python tools/new_page.py $(page)

lock: ## write requirements.lock anew: make lock torch=2.13.0; all=1: the newest of the rest
	sh tools/lock.sh "$(PYTHON)" "$(torch)" $(all)

lint: $(READY) $(NODE_READY) ## ruff and mypy; biome and tsc for JavaScript
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE) notebooks
	$(BIN)/mypy
	$(NPM) run -s lint

format: $(READY) $(NODE_READY) ## format Python and JavaScript, mend what ruff can, minify the figures
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)
	$(NPM) run -s format
	$(NPM) run -s build

bench: $(BOOK) chromium ## times beside their goals, memory, page weights; also as _build/bench.json
	$(BIN)/python tools/bench.py

bench-grading: $(READY) bubblewrap ## grading beside nbgrader's autograde, also as _build/bench_grading.json
	$(BIN)/python tools/bench_grading.py

site-check: $(BOOK) chromium ## Lighthouse and axe on the built book
	$(BIN)/python tools/site_check.py

offline: $(BOOK) ## one zip of the book that needs no network
	$(BIN)/python tools/offline.py

anki: $(READY) ## the questions of all pages as a deck for Anki, dist/pytorch-layers.apkg
	$(BIN)/python tools/anki.py

pdf: $(BOOK) chromium ## the whole book on paper: dist/pytorch-layers.pdf
	$(BIN)/python tools/paper.py

epub: $(BOOK) chromium ## the whole book for e-readers: dist/pytorch-layers.epub; epubcheck judges it where Java is
	$(BIN)/python tools/epub.py

chromium: $(READY) # a browser for the tests of site and figures
	@sh tools/chromium.sh $(BIN)/python

firefox: # a second one for the tests of the site
	@sh tools/firefox.sh

bubblewrap: # the sandbox that submissions run in
	@sh tools/bubblewrap.sh

clean: ## remove what the commands above made, but the environment
	rm -rf _build dist conf.py

$(READY) $(OTHER:%=%/.ready): requirements.txt requirements.lock pyproject.toml
	@sh tools/environment.sh $(@D) "$(PYTHON)" $(if $(filter $(READY),$@),,$(torch))

$(NODE_READY): $(READY) package.json package-lock.json
	@$(WITH_NODE) sh tools/quietly.sh $(BIN)/npm ci
	@touch $@

$(BOOK): $(READY) _config.yml _toc.yml $(shell find book notebooks src tools/site -type f -not -path '*/.*' -not -name '*.pyc' -not -path '*.egg-info/*')
	@echo "Building the book"
	@rm -rf _build/html
	@sh tools/quietly.sh $(BIN)/jupyter-book build . --all -n -W --keep-going
	@touch $@
