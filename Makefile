# `make serve` and `make test` are all it takes; both set up what is missing.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve test test-cluster check bench setup browser page screenshots models lock schema prices dashboards observe audit sbom clean help

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:           ## .venv with everything in it, from the committed lock; quick when done before
	@scripts/setup.sh

serve: setup     ## start the service (CONFIG=serve_config.yaml, or examples/real.yaml: a real model); Ctrl-C stops it
	@$(BIN)/python -m scripts.real_models $(or $(CONFIG),serve_config.yaml)
	@$(BIN)/ghostrouter serve $(or $(CONFIG),serve_config.yaml)

test: browser    ## the whole suite
	@$(BIN)/pytest $(ARGS)

test-cluster: setup    ## several machines on this one, which fail (needs root; a quarter of an hour)
	@unshare --net --pid --fork --kill-child --mount-proc scripts/test_cluster.sh $(ARGS)

browser: setup   ## what the tests of the page need: Chromium (installed if you are root) and npm's packages
	@scripts/browser.sh

page: browser    ## build the page from dashboards/live/
	@scripts/npm.sh run --silent build

screenshots: browser    ## docs/live_light.png and docs/live_dark.png
	@SCREENSHOTS=docs $(BIN)/pytest -q tests/dashboards/test_page.py -k watched

check: setup     ## lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup     ## make bench NAME=handoff: prints a table, writes bench/results/handoff.json
	@test -n "$(NAME)" || { echo "which one? NAME=$$(ls bench/*.py | xargs -n1 basename | sed 's/.py//' | grep -v __init__ | tr '\n' ' ')"; exit 2; }
	@$(BIN)/python -m bench.$(NAME)

models: setup    ## train the shipped models again (hours of CPU time)
	@$(BIN)/python -m models.train
	@$(BIN)/python -m models.calibrate

lock: setup      ## resolve the dependencies again
	@scripts/lock.sh

schema: setup    ## write the JSON schema of the configuration
	@$(BIN)/ghostrouter schema > docs/config.schema.json

prices: setup    ## compare the catalogue's prices with a public table (fetches it)
	@$(BIN)/python -m scripts.check_prices

audit: setup     ## look for known vulnerabilities in the locks (needs the network)
	@$(BIN)/python -m scripts.audit

sbom: setup      ## write the bill of materials of the locks to sbom/, as CycloneDX
	@$(BIN)/python -m scripts.sbom

observe: setup   ## the service with Prometheus, Grafana and Phoenix where they are installed, and a load
	@scripts/observe.sh

dashboards: setup ## write the Grafana dashboards from their source
	@$(BIN)/python -m dashboards.source.build

clean:           ## remove what set-up and runs have made
	rm -rf $(VENV) logs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
