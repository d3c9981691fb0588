# Calbroker. `make run` and `make test` set up what they need, from nothing.
.DEFAULT_GOAL := help
.PHONY: help run test bench lint setup lock audit messages clean
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Each stamp says that the packages of one file are in the environment; dev includes local.
RUN_STAMP := $(VENV)/stamp-run
DEV_STAMP := $(VENV)/stamp-dev
TESTS ?= tests
# One more than two cores: tests wait for browsers, servers and disks in turn.
WORKERS ?= 3

help:  ## Show this list
	@echo "make TARGET, where TARGET is one of:"
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 14
	@echo
	@echo "make run reads PORT, SANDBOX_PORT, RADICALE_PORT, EXCHANGE_PORT, VAR_DIR, DATABASE_URL, REDIS_URL."

run: $(RUN_STAMP)  ## Run everything on this machine; Ctrl-C stops it
	@$(BIN)/python -m broker.local

# The checks and the system's packages need the environment, but not each other.
test: $(DEV_STAMP)  ## Run every check and test; TESTS=tests/core runs a part
	@$(MAKE) --jobs=2 setup lint
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

bench: setup  ## Measure against the numbers that we hold ourselves to
	@$(BIN)/python -m benchmarks

lint: $(DEV_STAMP)  ## Check style, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

setup: $(DEV_STAMP)  ## Set up everything that development needs
	@tests/install-system-packages.sh

lock:  ## Pin the versions of pyproject.toml, with hashes (needs uv)
	uv lock
	uv export --quiet --no-default-groups --format requirements-txt -o requirements.txt
	uv export --quiet --no-default-groups --group local --format requirements-txt -o requirements-local.txt
	uv export --quiet --no-default-groups --group dev --format requirements-txt -o requirements-dev.txt

audit:  ## Look up known vulnerabilities of every pinned package (needs uv and the Internet)
	uvx pip-audit --strict --require-hashes --disable-pip --desc -r requirements.txt -r requirements-dev.txt

messages: $(DEV_STAMP)  ## Collect the texts of the pages and update the catalogues
	$(BIN)/pybabel -q extract -F broker/locale/babel.cfg -k message -k N_ --no-location --sort-output \
	  --omit-header --width=98 -o broker/locale/messages.pot .
	$(BIN)/pybabel -q update -i broker/locale/messages.pot -d broker/locale --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date --width=98
	$(BIN)/pybabel -q compile -d broker/locale --statistics

clean:  ## Remove what can be made again; var/ with your data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# One environment serves both: where the development packages are, those to run are too.
$(RUN_STAMP): requirements-local.txt $(wildcard $(DEV_STAMP))
	@if [ -e $(DEV_STAMP) ] && [ ! requirements-dev.txt -nt $(DEV_STAMP) ] && [ ! $< -nt $(DEV_STAMP) ]; \
	then touch $@; else $(call install,$<) && touch $@; fi

$(DEV_STAMP): requirements-dev.txt
	@$(call install,$<) && touch $@

# A new environment each time, so that a package that is no longer listed is no longer there.
define install
$(find_python) && $(have_venv) && \
echo "installing $(1) into $(VENV) (once; less than a minute)" && \
"$$python" -m venv --clear $(VENV) && \
$(PIP) install --quiet --quiet --require-hashes --no-deps -r $(1)
endef

# The real interpreter even when an environment is active: ours is about to be cleared.
define find_python
python="" && \
for candidate in python3.14 python3.13 python3.12 python3.11 python3; do \
  python="$$($$candidate -c '$(python_works)' 2>/dev/null)" && break; \
done; \
if [ -z "$$python" ]; then \
  echo "Calbroker needs Python 3.11 or newer: install it (on Debian: apt-get install python3 python3-venv)" >&2; \
  exit 1; \
fi
endef
python_works := import sys, sqlite3, ssl; sys.version_info >= (3, 11) or sys.exit(1); print(sys._base_executable)

# Debian keeps what makes an environment in a package of its own.
define have_venv
if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
  package="$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
    echo "installing $$package"; \
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$package; } >/dev/null || exit 1; \
  else \
    echo "Python cannot make an environment yet. Please run: sudo apt-get install $$package" >&2; exit 1; \
  fi; \
fi
endef
