# What each target does is in scripts/; cargo does the rest. CARGO_TARGET_DIR is respected.
.DEFAULT_GOAL := help
.PHONY: help build wheel demo test test-matrix chaos bench mutants fuzz fmt lint check snapshots clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

build: ## Build the release binary
	@scripts/build.sh

wheel: ## Build the wheel of python/, to be installed with pip
	@scripts/wheel.sh

demo: ## Try tenants.toml on a throw-away PostgreSQL; VAULT=1: with an OpenBao; KEEP=1: wait before cleaning up
	@scripts/demo.sh

test: ## Check the format, run lints and all tests, with real PostgreSQL and OpenBao
	@scripts/test.sh

test-matrix: ## Run the tests on real servers, on PostgreSQL 14, 15, 16, 17 and 18; ends with a table
	@scripts/test_matrix.sh

chaos: ## Change and disrupt 50 tenants at random, again and again; ROUNDS=50, SEED=…, PG=18
	@scripts/chaos.sh

bench: ## Measure the cost per tenant as the number of tenants grows, next to the same SQL in psql; SIZES="100 400 1600" PLANS="100 1000"
	@scripts/bench.sh

mutants: ## Change the core and see whether its tests notice; MUTANTS=1/20 (which of them), FILES='src/core/plan/**'; needs cargo-mutants
	@scripts/mutants.sh

fuzz: ## Fuzz the parsers of untrusted files, FUZZ_SECONDS (600) for each target; needs a nightly compiler and cargo-fuzz
	@scripts/fuzz.sh

fmt: ## Format the code
	cargo fmt --all

lint: ## Clippy, with warnings as errors
	cargo clippy --locked --all-targets -- -D warnings

check: ## Check that it compiles, also as the pure core
	cargo check --locked --all-targets
	cargo check --locked --lib --no-default-features
	cargo check --locked --package tenantry-python

snapshots: ## Rewrite what the tests compare with: the README's tour, docs/commands.md, the JSON schemas, tests/snapshots
	@scripts/snapshots.sh

clean: ## Delete what was built
	cargo clean
