# Verbs of this repository; `make` alone lists them. Python 3.11 or newer, make and git are all that a machine needs.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

PYTHON ?= python3
ENVIRONMENT := $(PYTHON) tools/environment.py
DEV := .venv/dev/bin
SAM := .venv/sam/bin/sam
CONFIG ?= dev
export PATH := $(CURDIR)/.venv/uv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## Show these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: local-environments ## Run the whole fleet on this machine and show its log lines until Ctrl-C: [DOCKER=1]
	@$(DEV)/python -m tools.local run $(if $(DOCKER),--docker)

.PHONY: demo
demo: local-environments ## Run the whole fleet once; exit 0 only if every job did what it should
	@$(DEV)/python -m tools.local demo

.PHONY: invoke
invoke: local-environments ## Invoke one job in the running fleet: JOB=name [EVENT=file]
	@$(DEV)/python -m tools.local invoke "$(JOB)" $(if $(EVENT),"$(EVENT)")

.PHONY: dead-letters
dead-letters: dev-environment ## List, show, redrive or discard what failed, here or in AWS: [ARGS="redrive --help"]
	@PYTHONPATH=shared $(DEV)/python -m tools.operate.dead_letters $(ARGS)

.PHONY: mutes
mutes: dev-environment ## List, add or end mutes of alerts, here or in AWS: [ARGS="add --help"]
	@PYTHONPATH=shared $(DEV)/python -m tools.operate.mute $(or $(ARGS),list)

.PHONY: explain
explain: dev-environment ## Show what triage makes of a message, and who gets the alert: EVENT=file [STACK=name [PROFILE=name]]
	@$(DEV)/python -m tools.operate.explain $(if $(STACK),--stack "$(STACK)") $(if $(PROFILE),--profile "$(PROFILE)") $(ARGS) $(if $(EVENT),"$(EVENT)")

.PHONY: deploy-local
deploy-local: local-environments ## Bring what you edited into the running fleet, within seconds
	@$(DEV)/python -m tools.local deploy

.PHONY: console
console: ## Serve the operators' console: [STACK=name [PROFILE=name]] [PORT=8321]; the local fleet's without STACK
	@$(ENVIRONMENT) console
	@.venv/console/bin/python -m tools.operate.console $(if $(STACK),--stack "$(STACK)") $(if $(PROFILE),--profile "$(PROFILE)") $(if $(PORT),--port "$(PORT)")

.PHONY: test
test: local-environments ## Run all tests: [ARGS="tests/unit -k name"]
	@$(DEV)/python -m pytest -n 4 $(ARGS) # more processes than cores, as tests of the running fleet mostly wait

.PHONY: prove
prove: local-environments ## Prove the guarantees at full length, which takes up to an hour: 10,000 messages, 100 kills
	@$(DEV)/python -m pytest -n 2 --prove tests/delivery tests/local/test_delivery.py $(ARGS)

.PHONY: lint
lint: local-environments ## Check style, types, imports and the template
	@$(ENVIRONMENT) checkov
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@$(DEV)/mypy
	@PYTHONPATH=shared $(DEV)/lint-imports
	@AWS_DEFAULT_REGION=eu-west-1 $(SAM) validate --lint
	@$(DEV)/cfn-lint --append-rules cfn_lint_serverless.rules --template template.yaml
	@mkdir -p build
	@.venv/sam/bin/python tools/develop/translate.py template.yaml >build/cloudformation.json
	@.venv/checkov/bin/checkov --file build/cloudformation.json

.PHONY: build
build: local-environments ## Build the template and the layer with sam
	@$(DEV)/python -m tools.local build

.PHONY: deploy
deploy: build ## Deploy to AWS with your credentials: [CONFIG=dev|prod]
	@$(SAM) deploy --config-env $(CONFIG)

.PHONY: new
new: dev-environment ## Add a job: JOB=name TRIGGER=schedule|queue
	@$(DEV)/python -m tools.develop.new_job "$(JOB)" $(if $(TRIGGER),--trigger "$(TRIGGER)")

.PHONY: retire
retire: dev-environment ## Remove a job, and every trace of it: JOB=name [YES=1]
	@$(DEV)/python -m tools.develop.retire_job "$(JOB)" $(if $(YES),--yes)

.PHONY: docs
docs: dev-environment ## Generate the parts of the documentation that come from the template
	@$(DEV)/python -m tools.develop.docs

.PHONY: bench
bench: dev-environment ## Measure the imports, the console's first response, triage and probes
	@$(DEV)/python -m tools.develop.bench
	@$(DEV)/python -m tools.develop.bench_console
	@PYTHONPATH=shared $(DEV)/python -m tools.develop.bench_triage
	@$(DEV)/python -m tools.develop.bench_probes

.PHONY: lock
lock: ## Pin the requirements again: [UPGRADE=1]
	@$(ENVIRONMENT) uv
	@for name in uv dev emulator sam checkov console; do $(COMPILE) --python-version 3.11 requirements/$$name.in -o requirements/$$name.txt || exit; done
	@$(COMPILE) --python-version 3.13 shared/requirements.in -o shared/requirements.txt
	@$(COMPILE) --python-version 3.13 functions/console/requirements.in -o functions/console/requirements.txt

COMPILE = UV_PYTHON_DOWNLOADS=never UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --universal \
	--generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what was built, and the environments
	@rm -rf build .aws-sam .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: dev-environment
dev-environment:
	@$(ENVIRONMENT) dev

.PHONY: local-environments
local-environments:
	@$(ENVIRONMENT) dev emulator sam
