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
AXE      := tests/browser/node_modules/.package-lock.json

export UV_PYTHON_DOWNLOADS := never
export PARITY_DATA         := $(if $(DATA),$(abspath $(DATA)))

selection := $(foreach model,$(MODEL),--model $(model)) $(foreach layer,$(LAYER),--layer $(layer))

export PARITY_MODEL := $(MODEL)
export PARITY_LAYER := $(LAYER)

.PHONY: parity corpus rescue test sweep fuzz gate probe faults microscope investigate fixtures bench lint help clean
.DELETE_ON_ERROR:

parity: $(READY)  ## prove the port against the originals, layer by layer, and write reports/out/
	@$(HARNESS) -m parity run --workers $(WORKERS) $(selection) $(ARGS)

corpus: .tox/corpus.ready  ## prove the port on a collection: CLIPS=folder, list or pattern; without, only build its environment
	@$(if $(CLIPS),.tox/corpus/bin/python -m parity corpus $(foreach model,$(MODEL),--model $(model)) $(ARGS) $(CLIPS))

rescue: .tox/onnx.ready  ## an ONNX file of a Keras 1 model, proved: NET="net.json net.h5 --keras 1.0.6" TO=net.onnx
	@.tox/onnx/bin/python -m parity rescue $(NET) -o $(TO) --workers $(WORKERS) $(ARGS)

test: export NUMBA_CACHE_DIR := $(CURDIR)/.tox/numba
test: .tox/tests.ready $(AXE)  ## every test; FAST=1: those of every folder that take no time (90 s)
	@$(TESTS) -m pytest -n $(WORKERS) $(if $(FAST),-m "not slow") $(if $(MODEL)$(LAYER),parity_tests) $(ARGS)

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

lint: .tools/ready  ## check the style, the types, and the borders between the rooms
	@.tools/bin/tox run -q -e lint -- $(ARGS)

clean:  ## remove environments and outputs (recorded traces stay: `python -m parity data`)
	rm -rf .tox .tools build reports/out

help:  ## show this
	@sed -n 's/^\([a-z]*\):.*##/make \1\t/p' $(MAKEFILE_LIST) | expand -t 20
	@echo 'Variables: DATA=folder of weights and clips, MODEL=CNN0, LAYER=gru1, WORKERS=2, FAST=1, ARGS="more options"'

# tox builds the harness, and the larger environments of tests, collections and ONNX, from locked requirements; a change of
# any of these files builds it anew.
.tox/tests.ready: requirements/tests.txt requirements/corpus.txt requirements/onnx.txt
.tox/corpus.ready: requirements/corpus.txt
.tox/onnx.ready: requirements/onnx.txt
.tox/%.ready: requirements/harness.txt requirements/build.txt tox.ini .tools/ready
	@.tools/bin/tox run -q --notest -e $* >&2
	@touch $@

# Of the tests alone: what audits the report in a browser. Without npm, or without a network, that one audit is left out.
$(AXE): tests/browser/package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix tests/browser \
		|| echo "make: npm could not fetch axe-core; the report's accessibility audit is left out" >&2; fi

.tools/ready: requirements/tools.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python 3.11 with venv (Debian: apt-get install python3 python3-venv)" >&2; exit 2; }
	@$(PYTHON) -m venv --clear .tools || { echo "make: $(PYTHON) cannot make a virtual environment; install its venv module (Debian: apt-get install python3-venv)" >&2; exit 2; }
	@.tools/bin/pip install --quiet --quiet --disable-pip-version-check --require-hashes -r $< || { echo "make: tox could not be installed from requirements/tools.txt; check the network and try again" >&2; exit 2; }
	@.tools/bin/uv python find --quiet 3.11 >/dev/null || { echo "make: no Python 3.11 here; Chainer, Keras 1 and Theano need it (Debian: apt-get install python3.11 python3.11-venv python3.11-dev)" >&2; exit 2; }
	@touch $@
