# Tripod. The two commands of the README are `make demo` and `make test`.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   = -s -w -X main.version=$(VERSION)
GO       ?= go
FUZZTIME ?= 30s
PACKAGES = ./...
# A module of its own: the official SDK is no dependency of Tripod.
SDK      = testdata/sdk

.PHONY: all build demo demo-down test test-short test-sdk lint bench compare load fuzz images cross clean help

all: build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

build: ## bin/tripod, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tripod ./cmd/tripod

demo: build ## three hosts, the stand-in agent on them, the result
	$(GO) run ./cmd/demo

demo-down: ## remove what `make demo` left running
	$(GO) run ./cmd/demo -down

images: ## the sshd images that the tests use (needs a Docker engine)
	sh testdata/images/build.sh

# A program built with -race sleeps a second at its exit, so that other goroutines can
# still report. The test programs, and what they start, do with 10 ms.
RACE = GORACE=atexit_sleep_ms=10

test: ## everything: unit, in-process SSH, testscript, race detector, real sshd in containers
	@if docker info >/dev/null 2>&1; then sh testdata/images/build.sh; \
	 elif [ "$$CI" = true ]; then echo 'make test: CI=true, but no Docker engine answers' >&2; exit 1; \
	 else echo '*** make test: no Docker engine answers: THE TESTS ON REAL SSHD ARE SKIPPED ***' >&2; fi
	$(GO) vet $(PACKAGES)
	$(RACE) $(GO) test -race -timeout 28m $(PACKAGES)
	$(MAKE) test-sdk

test-sdk: ## the official Go SDK and the Terraform provider's life against the real daemon
	$(GO) -C $(SDK) vet ./...
	$(RACE) $(GO) -C $(SDK) test -race -timeout 10m ./...

test-short: ## the quick half, without containers
	$(GO) test -short $(PACKAGES)

lint: ## gofmt, vet, staticcheck, shellcheck (the arrows between packages are held by a test in installer/)
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt'ed:" $$out >&2; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 $(PACKAGES)
	$(GO) -C $(SDK) vet ./...
	$(GO) -C $(SDK) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	@if command -v shellcheck >/dev/null; then git ls-files '*.sh' .ci/run | xargs shellcheck; \
	 else echo '*** lint: shellcheck is not installed: shell scripts not checked ***' >&2; fi

bench: ## Go benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./installer ./installer/hostsfile ./installer/sshconn ./installer/recipe ./store

compare: build ## Tripod beside a bare x/crypto loop and its peers, 200 hosts behind a real sshd
	$(GO) run ./cmd/compare

load: build ## one daemon under many clients, and long lists; the tables of docs/performance.md
	$(GO) run ./cmd/load

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

cross: ## every platform that is promised
	@set -e; for p in linux/amd64 linux/arm64 darwin/arm64 darwin/amd64; do \
	  echo $$p; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/tripod-$${p%/*}-$${p#*/} ./cmd/tripod; done

clean:
	rm -rf bin dist
