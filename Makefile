# hexad: what a developer runs. `make` alone lists the targets.

SHELL    := /bin/bash
GO       ?= go
BIN      := bin/hexad
RELEASE  ?= 1.0.0
LDFLAGS  := -s -w -X main.release=$(RELEASE)
RUN_DATA ?= data
PEERS    ?= 3

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.6.1
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
# Reports of known holes, for checking without a network; see docs/operations.md.
VULNDB      ?= ../shared/vulndb/vulndb.tar.xz

export CGO_ENABLED := 0

.PHONY: help build run test check walk campaign campaign-night campaign-cut campaign-bugs bench driver-test golden fuzz clean format vet lint race vuln

help:       ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build:      ## one static binary, bin/hexad
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .

run: build  ## build and start a cluster of three peers with its console (PEERS=n, data kept in data/)
	$(BIN) lab --peers $(PEERS) --data-dir $(RUN_DATA)

test: build format vet ## everything that CI runs
	$(GO) test -timeout 15m ./...
	$(GO) test -tags failpoints ./engine/fail
	$(GO) test -tags hexad_noguard -run TestWithoutGuard ./sqlstore
	$(GO) test -tags hexad_staleread -run TestStaleRead ./engine/config
	cd sqlstore/sqlite3 && $(GO) test ./...
	cd testdata/campaign && $(GO) vet ./... && $(GO) test ./...
	@$(MAKE) --no-print-directory campaign-cut

check: format vet lint race vuln ## gofmt, vet, staticcheck, race tests, known holes

format:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

# The race detector needs cgo and a C compiler. rqlite and SQLite run beside
# it without pointer checks: the translated SQLite does its own arithmetic. The
# tests of engine/appliance drive the built program and see nothing of it.
race:
	@command -v $${CC:-gcc} >/dev/null || { echo "the race detector needs a C compiler: install gcc"; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -gcflags=all=-d=checkptr=0 -timeout 20m $$($(GO) list ./engine/... ./sqlstore/... ./ui/... | grep -v /engine/appliance)

vuln:
	@if [ -f '$(VULNDB)' ]; then \
	  dir=$$(mktemp -d) && tar -xJf '$(VULNDB)' -C $$dir && db=$$(dirname $$(find $$dir -type d -name index | head -n 1)) && \
	  $(GO) run $(GOVULNCHECK) -db file://$$db ./...; status=$$?; rm -rf $$dir; exit $$status; \
	else $(GO) run $(GOVULNCHECK) ./...; fi

walk:       ## the document by hand on two and four real peers over IPv4 and IPv6, and guided with every peer killed, about ten minutes (as root)
	HEXAD_WALK=1 $(GO) test -count 1 -timeout 40m -v -run '^(TestWalk|TestGuidedKilled)$$' ./engine/appliance

campaign: ## faults on real and simulated clusters, 8 minutes (CAMPAIGN= its flags; docs/campaign.md)
	cd testdata/campaign && $(GO) run . -size pr $(CAMPAIGN)

campaign-night: ## the same at length, 145 minutes
	cd testdata/campaign && $(GO) run . -size night $(CAMPAIGN)

campaign-cut: ## two minutes of it, which make test runs
	cd testdata/campaign && $(GO) run . -size cut $(CAMPAIGN)

campaign-bugs: ## deliberate bugs, each of which the campaign must find
	cd testdata/campaign && $(GO) run . -bugs $(CAMPAIGN)

bench: build ## hexad beside stock rqlited and etcd, decisions beside OPA and Starlark, each in one run (BENCH= its flags)
	@command -v $${CC:-gcc} >/dev/null || { echo "stock rqlited needs a C compiler: install gcc"; exit 1; }
	cd testdata/bench && $(GO) run . -hexad ../../$(BIN) $(BENCH)
	cd testdata/bench-policy && $(GO) run .

driver-test: ## rqlite's own db and store suites on our SQLite driver (4 to 5 minutes)
	$(GO) test -timeout 20m -skip '^Test_DB_TableCreationFTS$$' github.com/rqlite/rqlite/v8/db github.com/rqlite/rqlite/v8/store

golden:     ## write the golden files anew; read the difference like code
	$(GO) test ./engine/config ./engine/event ./engine/policy ./ui/... -update

fuzz:       ## each fuzz target for FUZZTIME (default 30s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} $$pkg || exit 1; done; done

clean:      ## remove what was built and the data of make run
	rm -rf bin $(RUN_DATA)
