# Run `make help` for what there is. Go, make and, for the tests, root on Debian are all that is needed.

GO             ?= go
STATICCHECK    := honnef.co/go/tools/cmd/staticcheck@v0.8.1
GOVULNCHECK    := golang.org/x/vuln/cmd/govulncheck@v1.9.0
# The longest come first, so that none is left alone at the end.
PACKAGES       ?= ./cmd/owlat-sync ./tests/cluster ./reconcile ./internal/serve ./internal/page ./ledger/postgres ./ledger/sqlite ./...
FOR            ?= 1h
TOOLS          := $(CURDIR)/bin/tools
# A program with the race detector sleeps for a second before it ends and has its memory in small pages, and hundreds of them are started.
export GORACE  ?= atexit_sleep_ms=0 no_huge_pages_for_shadow=0

# Without its path in it, what is built in one copy of the repository serves all others.
export GOFLAGS := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

# Code translated from C, and that which compares what tests want with what they get, takes many times as long under the race detector, which
# finds nothing in it. Packages of the standard library must not be among it: the linker may take their copies of generic functions, such as those of
# sync.Map, for those of watched packages, and races are reported where there are none.
UNWATCHED      := modernc.org/sqlite/lib modernc.org/libc modernc.org/memory github.com/google/go-cmp/...
RACE           := -race -vet=off $(foreach package,$(UNWATCHED),'-gcflags=$(package)=-race=false -d=checkptr=0')

.DEFAULT_GOAL := help
.PHONY: help build api manual release snapshot release-check release-tools test soak soak-cluster soak-scale cluster bench plots pictures lint fmt vet staticcheck vulncheck layers

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/owlat-sync, one static binary.
	CGO_ENABLED=0 $(GO) build -ldflags "-s -w" -o bin/ ./cmd/owlat-sync

manual: ## Write the manual pages and the completions of shells to bin/manual.
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(GO) test -count=1 -run '^TestManual$$' ./cmd/owlat-sync -manual $(CURDIR)/bin/manual

release: release-tools ## Make a release in dist from the tag that is checked out: archives, packages, lists of parts, checksums.
	PATH="$(TOOLS):$$PATH" goreleaser release --clean

snapshot: release-tools ## Make in dist what a release would have, from any commit.
	PATH="$(TOOLS):$$PATH" goreleaser release --clean --snapshot

release-check: release-tools ## Have GoReleaser check .goreleaser.yaml.
	PATH="$(TOOLS):$$PATH" goreleaser check

# They take some minutes to build the first time, and are kept in Go's cache.
release-tools:
	cd tests/release && GOBIN=$(TOOLS) $(GO) install tool

# Each program of tests has one processor: threads of one that wait for another take a fifth more. One more of them than there are processors run beside
# one another, and three tests in each, because many wait for processes, servers and clocks most of their time.
# What only several processors of one program could show is for the soaks.
test: ## Run the whole suite with the race detector, beside private servers of PostgreSQL, MariaDB and FerretDB.
	GOMAXPROCS=1 $(GO) run ./internal/testservers -- $(GO) test $(RACE) -p $$(($$(nproc) + 1)) -parallel 3 -timeout 30m $(PACKAGES)

soak: ## Kill the program at every point of a run, tell all stories, look at pages in all views, and play random histories against the engine for FOR=1h or longer; prints the seed of one that fails.
	OWLATSYNC_SOAK=$(FOR) $(GO) run ./internal/testservers -- $(GO) test $(RACE) -timeout 0 -v -run '^Test(Crash|Stories|StoriesInPostgres|DocumentedCommandsWork|Applications)$$' ./cmd/owlat-sync
	OWLATSYNC_SOAK=$(FOR) $(GO) run ./internal/testservers -- $(GO) test $(RACE) -timeout 0 -v -run '^TestADamagedExportIsNotHalfImported$$' ./ledger/transfer
	OWLATSYNC_SOAK=$(FOR) $(GO) test $(RACE) -timeout 0 -v -run '^TestModel$$' ./reconcile
	OWLATSYNC_SOAK=$(FOR) $(GO) test $(RACE) -timeout 0 -v -run '^TestServiceModel$$' ./internal/home
	OWLATSYNC_SOAK=$(FOR) $(GO) run ./internal/testservers -- $(GO) test $(RACE) -timeout 0 -v -run 'InTheBrowser$$|^Test(HowToBegin|NodesOfACluster)$$' ./internal/page

soak-cluster: ## Kill, freeze and cut off three nodes for FOR=1h or longer while people come, change and leave, and judge what came of it.
	OWLATSYNC_SOAK_CLUSTER=$(FOR) $(GO) test $(RACE) -timeout 0 -v -count=1 -run '^Test(Soak|TheJudgeSees|NodesAreUpgraded)' ./tests/cluster

soak-scale: ## Measure 200 deployments of 50 000 contacts on three nodes: about ten minutes and 12 GB of disk.
	$(MAKE) bench PARTS=scale-long

cluster: ## Start three nodes on this machine, beside servers of PostgreSQL of their own; Ctrl-C ends and removes it all.
	$(GO) run ./tests/cluster/up

# Built as the program itself is, so that nothing is compiled twice.
bench: ## Measure what docs/benchmarks shows anew, beside private database servers; PARTS="diff start" measures only those.
	CGO_ENABLED=0 $(GO) run ./internal/testservers -- $(GO) run ./internal/bench $(PARTS)

plots: ## Draw the pictures of docs/benchmarks, and write its page and the README's figures, from the results kept there; nothing is measured.
	$(GO) run ./internal/bench page

pictures: ## Draw docs/images and docs/page anew: what a terminal and a browser show of the program as it is.
	$(GO) test -count=1 -run '^Test(Pictures|DemoOnThePage)$$' ./cmd/owlat-sync -pictures

api: ## Write api.txt anew, the list of what the library exports, after a change of it that is meant.
	$(GO) test -count=1 ./internal/layers -run '^TestExportedAPI$$' -update

lint: fmt vet staticcheck vulncheck layers ## Check format, vet, staticcheck, known vulnerabilities and layers.

fmt: ## Check that all Go files are formatted.
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted; run gofmt -w on:"; echo "$$unformatted"; exit 1; }

vet: ## Run go vet.
	$(GO) vet ./...

staticcheck: ## Run staticcheck.
	$(GO) run $(STATICCHECK) ./...

vulncheck: ## Look for known vulnerabilities; skipped where their database cannot be reached.
	GO="$(GO)" GOVULNCHECK="$(GOVULNCHECK)" .ci/vulncheck

layers: ## Check that imports point down and files are short.
	$(GO) test ./internal/layers
