# SPDX-License-Identifier: Apache-2.0
#
# The only entry point: `make help` lists what there is. CI runs `make check`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr
DESTDIR ?=
SEED ?= 1
SECONDS ?= 60
# An hour by hand; CI runs one minute.
CHAOS_SECONDS ?= 3600
CHAOS_CI_SECONDS := 60
# Apart from the other build products: nothing is shared with them.
sanitized := .build/sanitized
TARGETS ?=
CASES ?=

swift_sources := Package.swift Sources Tests Benchmarks Fuzz
release_flags := -c release --static-swift-stdlib
# SEED: of the tests that damage what they send; one that is given by hand tries something new.
swift_test = APUS_TEST_SEED=$(SEED) swift test --skip-build --disable-xctest --parallel
# Failures and the summary; VERBOSE=1 shows every test.
VERBOSE ?=
test_lines := $(if $(VERBOSE),cat,scripts/test-lines)
need := scripts/need
need_build := header:curl/curl.h:libcurl4-openssl-dev command:pkg-config:pkg-config
need_test := $(need_build) command:openssl:openssl command:python3:python3
need_python_client := $(need_build) command:python3:python3 \
	python:ensurepip,venv:python3-venv

# Recipes build in one directory, and two builds at a time only wait for each other.
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps: ## Install what a build needs (libcurl's headers) when it is missing
	@$(need) $(need_build)

.PHONY: build
build: deps ## Debug build of everything
	@swift build --build-tests

.PHONY: release
release: deps ## Release build of apus and apus-worker
	@swift build $(release_flags) --product apus
	@swift build $(release_flags) --product apus-worker

.PHONY: run
run: release ## Run the gateway with the demo model (PORT=3001 CONFIG=file)
	@$(need) command:curl:curl
	@PORT=$(PORT) CONFIG=$(CONFIG) scripts/run

# Black-box tests apart: they watch processes of a machine that has nothing else to do for them.
# The lines that sum up both runs come at the end, and both runs count.
.PHONY: test
test: ## All tests, black-box ones apart (VERBOSE=1 names each, SEED=2 damages otherwise)
	@$(need) $(need_test)
	@swift build --build-tests
	@lines=$$(mktemp); failed=0; \
	for part in --skip --filter; do \
		$(swift_test) $$part BlackBoxTests 2>&1 | $(test_lines) | tee -a $$lines \
			| sed -u '/Test run with/d' || failed=1; \
	done; \
	grep 'Test run with' $$lines || failed=1; rm $$lines; exit $$failed

.PHONY: test-fast
test-fast: ## Tests without the black-box ones
	@$(need) $(need_build)
	@swift build --build-tests
	@$(swift_test) --skip BlackBoxTests 2>&1 | $(test_lines)

.PHONY: blackbox
blackbox: ## Tests of the real binaries only
	@$(need) $(need_test)
	@swift build --build-tests
	@$(swift_test) --filter BlackBoxTests 2>&1 | $(test_lines)

.PHONY: acceptance
acceptance: release ## The official SDKs against the real binaries
	@$(need) $(need_python_client)
	@Tests/Acceptance/run

.PHONY: chaos
chaos: deps ## Workers killed, stopped, replaced under load (CHAOS_SECONDS=3600 SEED=1)
	@$(need) command:python3:python3
	@swift build
	@python3 Tests/Chaos/chaos.py "$$(swift build --show-bin-path)" \
		--seconds $(CHAOS_SECONDS) --seed $(SEED)

.PHONY: sanitize
sanitize: deps ## Chaos with builds that check every access to memory (CHAOS_SECONDS=600 SEED=1)
	@$(need) command:python3:python3
	@for product in apus apus-worker; do \
		swift build --sanitize=address --scratch-path $(sanitized) --product $$product; \
	done
	@python3 Tests/Chaos/chaos.py $(sanitized)/debug --seed $(SEED) \
		--seconds $(if $(filter command line,$(origin CHAOS_SECONDS)),$(CHAOS_SECONDS),600)

.PHONY: deb
deb: release ## Debian package of a release build, in dist/
	@$(need) command:dpkg-deb:dpkg command:readelf:binutils
	@scripts/deb

.PHONY: systemd-test
systemd-test: deb ## The package under a real systemd in a container (CASES="start killed"); root
	@$(need) command:systemd-nspawn:systemd-container command:python3:python3
	@Tests/Systemd/run dist/apus_*.deb $(CASES)

.PHONY: fuzz
fuzz: deps ## Seeded fuzzing of every parser (SEED=1 SECONDS=60 TARGETS="json http")
	@swift build -c release --product FuzzTool
	@scripts/fuzz $(SEED) $(SECONDS) $(TARGETS)

.PHONY: bench
bench: release ## Measure beside nginx, write docs/BENCHMARKS.md (ARGS=--quick: one minute)
	@$(need) $(need_test)
	@swift build -c release --product BenchTool
	@python3 Benchmarks/bench.py $(ARGS)

.PHONY: compatibility
compatibility: ## Write docs/COMPATIBILITY.md from the test that proves it
	@APUS_UPDATE_DOCS=1 swift test --disable-xctest --filter CompatibilityTests

.PHONY: format
format: ## Format all Swift files
	@swift format -i -r $(swift_sources)

.PHONY: lint
lint: ## Check formatting and style rules
	@swift format lint --strict -r $(swift_sources)

.PHONY: tidy
tidy: ## Check the rules of the code that no other tool knows
	@$(need) command:python3:python3
	@python3 scripts/tidy

.PHONY: systemd-check
systemd-check: ## Check the systemd units and the score of their sandbox
	@scripts/systemd-check

.PHONY: check
check: lint tidy systemd-check test ## What CI runs: lint, tidy, build (warnings are errors), all tests
	@$(MAKE) chaos CHAOS_SECONDS=$(CHAOS_CI_SECONDS)

.PHONY: install
install: release ## Install the binaries under DESTDIR and PREFIX (/usr)
	@install -d "$(DESTDIR)$(PREFIX)/bin"
	@bin=$$(swift build $(release_flags) --show-bin-path); \
	install -m 755 "$$bin/apus" "$$bin/apus-worker" "$(DESTDIR)$(PREFIX)/bin/"

.PHONY: clean
clean: ## Remove build products
	@rm -rf .build bench-results dist
