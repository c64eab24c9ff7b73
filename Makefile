# Tripod. The two commands of the README are `make demo` and `make test`.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   = -s -w -X main.version=$(VERSION)
GO       ?= go
FUZZTIME ?= 30s
PACKAGES = ./...
GOLANGCI = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# A module of its own: the official SDK is no dependency of Tripod.
SDK      = testdata/sdk

.PHONY: all build demo demo-down test test-long test-short test-sdk test-images lint tools vuln bench compare load fuzz images cross clean help

all: build

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

build: ## build bin/tripod, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tripod ./cmd/tripod

demo: build ## install the stand-in agent on three test hosts, show the result
	$(GO) run ./cmd/demo

demo-down: ## remove what `make demo` left running
	$(GO) run ./cmd/demo -down

images: ## build the image of the test hosts (needs a Docker engine)
	sh testdata/images/build.sh

# A program built with -race sleeps a second at its exit, so that other goroutines can
# still report. The test programs, and what they start, do with 10 ms.
RACE = GORACE=atexit_sleep_ms=10
# These start processes more than goroutines: the race detector only in `make test-long`.
PLAIN   = ./cmd/... ./scripts/...
# Packages tested at a time: tests wait more than they compute.
AT_ONCE = 4

test: test-images ## what a change must pass: unit, in-process SSH, testscript, real sshd in containers, race detector, official SDK
	$(GO) test -p $(AT_ONCE) -timeout 20m $(PLAIN)
	$(RACE) $(GO) test -race -p $(AT_ONCE) -timeout 20m $$($(GO) list $(PACKAGES) | grep -vxF "$$($(GO) list $(PLAIN))")
	$(MAKE) test-sdk

test-long: test-images ## everything: race detector everywhere, every cut-off point, every kind of host
	$(RACE) TRIPOD_TEST_LONG=1 $(GO) test -race -p $(AT_ONCE) -timeout 40m $(PACKAGES)
	$(RACE) $(GO) -C $(SDK) test -race -timeout 20m ./...

test-short: ## unit, in-process SSH and testscript, without containers
	$(GO) test -short -p $(AT_ONCE) $(PACKAGES)

test-sdk: ## the official Go SDK, and what the Terraform provider does, on the real daemon
	$(GO) -C $(SDK) vet ./...
	$(GO) -C $(SDK) test -timeout 10m ./...

test-images:
	@if docker info >/dev/null 2>&1; then sh testdata/images/build.sh; \
	 elif [ "$$CI" = true ]; then echo 'make test: CI=true, but no Docker engine answers' >&2; exit 1; \
	 else echo '*** make test: no Docker engine answers: THE TESTS ON REAL SSHD ARE SKIPPED ***' >&2; fi

lint: ## go mod tidy, golangci-lint (.golangci.yml), shellcheck
	$(GO) mod tidy -diff
	$(GO) -C $(SDK) mod tidy -diff
	$(GOLANGCI) run $(PACKAGES) ./testdata/agent/...
	cd $(SDK) && $(GOLANGCI) run --config ../../.golangci.yml ./...
	@if command -v shellcheck >/dev/null; then TRIPOD_TEST_LONG=1 $(GO) test -run TestShellcheck ./scripts; \
	 else echo '*** lint: shellcheck is not installed: shell scripts not checked ***' >&2; fi

tools: ## downloads and builds the linter
	$(GOLANGCI) version

vuln: ## known vulnerabilities (needs the Go vulnerability database)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 $(PACKAGES)

bench: ## run the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./installer ./installer/hostsfile ./installer/sshconn ./installer/sshdial ./installer/recipe ./store

compare: build ## measure Tripod, a bare x/crypto loop and other tools on 200 hosts
	$(GO) run ./cmd/compare

load: build ## measure one daemon with many clients, and long lists
	$(GO) run ./cmd/load

fuzz: ## run every fuzz target for FUZZTIME (default 30s)
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

cross: ## dist/: Linux and macOS, amd64 and arm64
	@set -e; for p in linux/amd64 linux/arm64 darwin/arm64 darwin/amd64; do \
	  echo $$p; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/tripod-$${p%/*}-$${p#*/} ./cmd/tripod; done

clean: ## remove bin and dist
	rm -rf bin dist
