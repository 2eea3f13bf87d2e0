# One command runs, one tests; the rest is for those who build on it.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# most tests wait for real processes: so many at a time that two cores are always busy
JOBS ?= 8
FAST_JOBS ?= 10
# no bytecode would have each of a thousand processes compile everything for itself
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
TESTS := $(PYTEST) --dist worksteal
COMPILED := $(VENV)/.compiled

.DEFAULT_GOAL := help
# of `make simulate`: a number, or number:life for one life alone; and how long
SEED ?= 1
DAYS ?= 100
# of `make midway`: how many, and of what (workers, disks, notices)
LIVES ?= 50
WHAT ?= workers
# of `make kill-sweep`: how often the daemon is killed
KILLS ?= 200

.PHONY: help run test test-fast test-agents simulate midway kill-sweep check format keys man screenshots clean
.PHONY: tmux sftp chromium prometheus grafana
.PHONY: bench-workers bench-sessions bench-alerts bench-databases bench-disks bench-service
.PHONY: bench-history bench-tui bench-web

help: ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed 's/:.*## /\t/' | expand -t 14

run: $(STAMP) tmux ## open the demo world in the terminal UI
	@$(BIN)/healmon-tui --demo

test: $(COMPILED) tmux sftp chromium prometheus ## set up and run every test
	$(TESTS) -n $(JOBS)

test-fast: $(COMPILED) tmux sftp prometheus ## the tests that need no minute
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests.helpers.sidebyside $(FAST_JOBS)

test-agents: $(STAMP) tmux ## real Claude Code, Codex, Gemini CLI, OpenCode, from npm, without a network (optional)
	$(BIN)/python -m tests.agents.prepare $(CACHE)

simulate: $(STAMP) ## simulated days of workers and faults, each step checked: SEED=… DAYS=…
	$(BIN)/python -m tests.simulation --seed $(SEED) --days $(DAYS)

midway: $(STAMP) ## simulated lives in which anything comes midway, each step checked: WHAT=… SEED=… LIVES=…
	$(BIN)/python -m tests.simulation --seed $(SEED) --midway $(LIVES) --what $(WHAT)

kill-sweep: $(STAMP) tmux ## kill -9 a busy daemon at random moments, each promise checked: SEED=… KILLS=…
	$(BIN)/python -m tests.helpers.killsweep --seed $(SEED) --kills $(KILLS)

check: $(STAMP) ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-workers: $(STAMP) ## crash to ready, memory, idle cost against the peers (BENCH="--quick")
	@$(BIN)/python -m benchmarks.workers $(BENCH)

bench-sessions: $(STAMP) tmux ## what a look at 200 sessions costs, what the judgement is worth (BENCH="cycle --quick")
	@$(BIN)/python -m benchmarks.sessions $(BENCH)

bench-databases: $(STAMP) ## time to name who holds a database's lock, against lsof and others
	@$(BIN)/python -m benchmarks.databases $(BENCH)

bench-history: $(STAMP) ## what a jump through a million stored events costs (BENCH="--quick")
	@$(BIN)/python -m benchmarks.history $(BENCH)

bench-alerts: $(STAMP) ## how fast the inbox opens over a million stored events, against an empty store
	@$(BIN)/python -m benchmarks.alerts $(BENCH)

bench-service: $(STAMP) tmux ## what the daemon weighs and wakes, what status and once cost (BENCH="--quick", "--beside 10")
	@$(BIN)/python -m benchmarks.service $(BENCH)

bench-disks: $(STAMP) ## deleting and scanning 200,000 files against find, rm, systemd-tmpfiles (BENCH="--quick")
	@$(BIN)/python -m benchmarks.disks $(BENCH)

bench-tui: $(STAMP) tmux ## what the screen costs against glances, btop, htop, and its memory over hours (BENCH="--quick")
	@$(BIN)/python -m benchmarks.tui $(BENCH)

bench-web: $(STAMP) tmux ## what 100 pages and 10 scrapes a second cost, and whether they delay a heal (BENCH="--quick")
	@$(BIN)/python -m benchmarks.web $(BENCH)

keys: $(STAMP) ## write what is made from the list of keys: docs/keys.md and the core's names of them
	$(BIN)/python -m healmon_tui.names > core/healmon/config/screennames.new
	mv core/healmon/config/screennames.new core/healmon/config/screennames.py
	$(BIN)/python -m healmon_tui.keymap > docs/keys.md

man: $(STAMP) ## write docs/man and docs/schemas anew
	@$(BIN)/python -m tools.manpages
	@$(BIN)/python -m tools.schemas

grafana: $(STAMP) ## write contrib/grafana/healmon.json, the dashboard, anew
	$(BIN)/python -m tools.grafana

screenshots: $(STAMP) chromium ## draw screenshots/ anew
	$(BIN)/python screenshots/make.py

clean: ## remove what was built here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "healmon needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Say: make PYTHON=python3.11 …" >&2; exit 1; }
	@sh tools/need python3-venv $(PYTHON) -c 'import ensurepip, venv'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 2>.pip-errors || \
		{ cat .pip-errors >&2; rm -f .pip-errors; exit 1; }
	@rm -f .pip-errors
	@touch $(STAMP)

# what all processes of the tests load, compiled once and beforehand: pytest's workers begin at
# the same moment, and each would do it; errors are told by the tests themselves
$(COMPILED): $(STAMP) $(shell find core tui tests -name '*.py' -newer $(COMPILED) 2>/dev/null)
	@$(BIN)/python -m compileall -q core tui || true
	@$(PYTEST) --collect-only -q tests/core >/dev/null 2>&1 & \
	$(PYTEST) --collect-only -q --ignore=tests/core >/dev/null 2>&1; wait
	@touch $(COMPILED)

tmux:
	@sh tools/need tmux tmux -V

# OpenSSH's own, where Debian's packages can bring it; else the tests make do with another
sftp:
	@! command -v apt-get >/dev/null || \
		sh tools/need openssh-sftp-server test -x /usr/lib/openssh/sftp-server || true

# for the health page; where it cannot be had, its tests say so and are left out (not in CI)
chromium:
	@sh tools/need chromium sh -c 'command -v chromium || command -v chromium-browser || command -v google-chrome' || true

# server and promtool out of Debian's package, not installed: no service, no user, nothing beside them
prometheus: $(STAMP)
	@{ command -v prometheus && command -v promtool; } >/dev/null || \
		sh tools/unpack prometheus $(VENV)/prometheus usr/bin/prometheus usr/bin/promtool || true
