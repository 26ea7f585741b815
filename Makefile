# What a person or CI types. Needs make and Python 3.11 or newer, nothing else; everything it makes lies in .venv, .local
# and the user's cache folder. All paths are relative, so that the project may lie in a folder with a space.

.DEFAULT_GOAL := help
.PHONY: help setup run test quick check bench chaos reset status

# Another Python's variables would decide what ours imports.
unexport $(filter PYTHON%,$(.VARIABLES))

SEEDS ?= 20
PYTHON := .venv/bin/python
STACK := $(PYTHON) -m backoffice.localstack
UV_VERSION := 0.13.9

# A stamp says which lock file is installed. The one for development holds all of the other.
LOCAL := .venv/.ready-local-$(shell cksum < requirements/local.txt | tr -s ' ' '-')
DEV := .venv/.ready-dev-$(shell cksum < requirements/dev.txt | tr -s ' ' '-')
RUNNABLE := $(or $(wildcard $(DEV)),$(LOCAL))

# A network may have an authority of its own, which the machine knows and the lists that pip and uv bring along do not.
# What was set for pip, in its variables or its configuration, holds for both; else the machine's own list is taken.
PIP_SET = $$($(PYTHON) -m pip config get global.$(1) 2>/dev/null || true)
CERTS = $${PIP_CERT:-$(call PIP_SET,cert)}
MACHINE_CERTS = $$($(PYTHON) -c 'import ssl; at = ssl.get_default_verify_paths(); print(at.cafile or at.capath or "")')
PIP = certs="$(CERTS)"; certs="$${certs:-$(MACHINE_CERTS)}"; \
	if [ -n "$$certs" ]; then export PIP_CERT="$$certs"; fi; \
	$(PYTHON) -m pip --disable-pip-version-check
UV = index="$${PIP_INDEX_URL:-$(call PIP_SET,index-url)}"; certs="$(CERTS)"; \
	export VIRTUAL_ENV=.venv UV_HTTP_TIMEOUT=180 UV_SYSTEM_CERTS="$${UV_SYSTEM_CERTS:-1}"; \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; fi; \
	if [ -f "$$certs" ]; then export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$certs}"; fi; \
	.venv/bin/uv --quiet pip
FAILED = { echo "The packages could not be installed; the reason stands above. Connect this machine and type it again." >&2; exit 1; }

help:
	@echo "make run      start everything and open it at http://127.0.0.1:8000 (PITBOSS_PORT=N for another port)"
	@echo "make test     the tests, on servers of their own"
	@echo "make quick    those of them that need no server, in less than a minute"
	@echo "make check    format, lint, types, import rules, migrations, contracts"
	@echo "make bench    the benchmarks"
	@echo "make chaos    servers and workers killed under load (SEEDS=$(SEEDS))"
	@echo "make reset    delete all data of make run and make test"
	@echo "make status   what runs here, and where it listens"
	@echo "make setup    only install the packages of make run"

setup: $(RUNNABLE)

run: $(RUNNABLE)
	@$(STACK) run

test: export DJANGO_SETTINGS_MODULE := backoffice.settings.test
test: $(DEV)
	@$(STACK) exec --memory -- $(PYTHON) -m pytest -n 3

quick: export DJANGO_SETTINGS_MODULE := backoffice.settings.test
quick: $(DEV)
	@$(PYTHON) -m pytest -q -n 2 -m "not servers and not slow"

check: export DJANGO_SETTINGS_MODULE := backoffice.settings.test
check: $(DEV)
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy .
	@.venv/bin/lint-imports
	@$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PYTHON) manage.py contracts check

bench: $(DEV)
	@$(STACK) exec -- $(PYTHON) -m bench

chaos: export DJANGO_SETTINGS_MODULE := backoffice.settings.test
chaos: $(DEV)
	@$(PYTHON) -m tests.chaos --seeds $(SEEDS)

reset: $(RUNNABLE)
	@$(STACK) reset

status: $(RUNNABLE)
	@$(STACK) status

$(DEV): .venv/bin/uv
	@echo "Installing the packages for development (once)."
	@rm -f .venv/.ready-*
	@$(UV) sync --require-hashes requirements/dev.txt || $(FAILED)
	@touch "$@"

# Where an older set for development is installed, this one is laid over it instead of in its place.
$(LOCAL): .venv/bin/uv
	@echo "Installing the packages (once)."
	@rm -f .venv/.ready-local-*
	@if ls .venv/.ready-dev-* >/dev/null 2>&1; then $(UV) install --require-hashes -r requirements/local.txt; \
	else $(UV) sync --require-hashes requirements/local.txt; fi || $(FAILED)
	@touch "$@"

.venv/bin/uv:
	@for python in $${PITBOSS_PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && found="$$python" && break; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Pitboss needs Python 3.11 or newer; install it, or name one: PITBOSS_PYTHON=/path/to/python3.11 make $(MAKECMDGOALS)" >&2; \
		exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		echo "$$found cannot make virtual environments; on Debian or Ubuntu type: sudo apt-get install python3-venv" >&2; \
		exit 1; \
	fi; \
	echo "Making .venv with $$found."; \
	"$$found" -m venv .venv && { $(PIP) install --quiet uv==$(UV_VERSION); } || $(FAILED)
