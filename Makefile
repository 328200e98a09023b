# The commands of this project. `make` lists them; the work is done by the scripts in tools/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build page package train-deps train test check fuzz format lint clean

# Taken as typed ($(value ...)): a prompt may hold dollars and quotes, and reaches the program unharmed.
PROMPT ?= Once upon a time
export PLM_PROMPT := $(value PROMPT)
unexport PROMPT

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: build ## build if needed and let the bundled model write: make run PROMPT="..."
	@build/bin/plm run -p "$$PLM_PROMPT"

build: ## build/bin/plm
	@tools/bootstrap.sh build
	@tools/build.sh release plm

page: ## the page for browsers, which the next build takes into build/bin/plm (needs node and npm)
	@tools/bootstrap.sh page
	@tools/build_page.sh

train-deps: ## .venv-train with torch, which the trainer is linked with (TORCH_SPEC="torch==2.11.0" for another)
	@tools/bootstrap.sh train
	@tools/train_deps.sh

train: train-deps ## build/bin/plm-train, the trainer
	@tools/build.sh train plm-train
	@mkdir -p build/bin && ln -sf ../../build-train/bin/plm-train build/bin/plm-train

package: ## the Python package as a wheel, in build-package/dist (or: pip install .)
	@tools/bootstrap.sh package
	@python3 -m pip wheel . --no-deps -w build-package/dist

test: ## everything that CI asks: tests, sanitizers, fuzzing, lint (tools/ci.sh)
	@tools/bootstrap.sh test
	@tools/ci.sh

check: ## the quick tests only, for the inner loop
	@tools/bootstrap.sh test
	@tools/ci.sh layers build unit

fuzz: ## fuzz the parsers, 60 s each: make fuzz SECONDS_EACH=600
	@tools/bootstrap.sh test
	@tools/ci.sh fuzz

format: ## clang-format on our sources
	@tools/bootstrap.sh test
	@tools/format.sh

lint: ## layers, format and clang-tidy
	@tools/bootstrap.sh test
	@tools/ci.sh layers format build python-env tidy

clean: ## remove what was built (not the caches in ~/.cache/plm)
	@rm -rf build build-train build-train-test build-test build-debug build-asan-ubsan build-tsan build-fuzz build-package web/dist web/node_modules
