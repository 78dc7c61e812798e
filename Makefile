# make run    a living gateway with data on this machine, until Ctrl-C
# make test   everything a contributor needs
# make help   the rest

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
TOOL := go tool -modfile=internal/tools/go.mod

# A tag v1.2.3 makes a version; without one it is the distribution's. The date is the commit's, so that builds are reproducible.
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//' | grep . || sed -n 's/^  version: //p' builder-config.yaml)
COMMIT ?= $(shell git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)
DATE ?= $(shell TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || echo unknown)
BUILDINFO := github.com/avika-ai/avika-collector/internal/buildinfo
LDFLAGS := -s -w -X $(BUILDINFO).Version=$(VERSION) -X $(BUILDINFO).Commit=$(COMMIT) -X $(BUILDINFO).Date=$(DATE)
# The builder takes keys of its configuration from the environment too.
DIST_VERSION := 'dist.version=$(VERSION) ($(COMMIT), $(DATE))'
SOURCES := $(shell git ls-files -co --exclude-standard -- '*.go' go.mod go.sum '*.html' '*.css' '*.js' 'extension/*.svg' '*.sql' 'distributions/*.yaml' 'extension/*.yaml' 2>/dev/null | grep -v '^tests/')

GATEWAY := bin/otelcol-avika
FORMATTED := git ls-files -co --exclude-standard -- '*.go' | grep -vE '\.pb\.go$$|generated_'

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

.PHONY: run
run: build node_modules ## Start ClickHouse, NGINX, an agent and the gateway here, and show what they do
	@exec bin/quickstart $(ARGS)

.PHONY: build
build: $(GATEWAY) bin/agentsim bin/avika-sizing bin/avika-topics bin/httpget bin/localstack bin/quickstart ## Build the gateway and the small tools into bin/

$(GATEWAY): builder-config.yaml $(SOURCES)
	@echo "building $@ (some minutes the first time)"
	@mkdir -p $(@D)
	@env $(DIST_VERSION) $(TOOL) builder --config builder-config.yaml --ldflags '$(LDFLAGS)' --gcflags '' >bin/builder.log 2>&1 || { cat bin/builder.log; exit 1; }
	@mv bin/dist/otelcol-avika $@

bin/%: $(SOURCES)
	@echo "building $@"
	@go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

node_modules: package-lock.json
	@echo "fetching ClickHouse's engine with npm (170 MB the first time)"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch node_modules

.PHONY: test
test: servers build unit-test e2e-test ## Unit tests with -race, then end-to-end tests on real servers

.PHONY: servers
servers: node_modules ## Install NGINX, PostgreSQL, Chromium and ClickHouse's engine where that is allowed
	@tests/install-servers.sh

.PHONY: unit-test
unit-test: bin/localstack node_modules ## Unit tests, with a real ClickHouse and PostgreSQL where a test asks for one
	bin/localstack exec --clickhouse --postgres -- go test -race $(TESTFLAGS) ./...

# A Helm that is built from source would take Kubernetes 1.20 for granted where there is no cluster.
bin/helm: internal/tools/helm/go.mod
	@echo "building $@"
	@go build -modfile=internal/tools/helm/go.mod -ldflags '-s -w -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34' -o $@ helm.sh/helm/v3/cmd/helm

bin/kubernetes/%: internal/tools/kubernetes/go.mod
	@echo "building $@ (some minutes the first time)"
	@cd internal/tools/kubernetes && go build -trimpath -ldflags '-s -w $(addprefix -X k8s.io/component-base/version.,gitVersion=v1.37.2 gitMajor=1 gitMinor=37)' \
		-o ../../../$@ $(if $(filter etcd,$*),go.etcd.io/etcd/server/v3,k8s.io/kubernetes/cmd/$*)

.PHONY: helm-test
helm-test: build bin/helm node_modules ## The Helm chart without a cluster; with CHART_DIR=... on the official collector chart
	cd tests && go test $(TESTFLAGS) ./helm

.PHONY: helm-cluster-test
helm-cluster-test: build bin/helm bin/kubernetes/etcd bin/kubernetes/kube-apiserver bin/kubernetes/kubectl ## The Helm chart on a real Kubernetes API server
	cd tests && go test -tags cluster -run TestCluster -v $(TESTFLAGS) ./helm

.PHONY: e2e-test
e2e-test: build bin/helm node_modules ## The built gateway with the shipped configurations against real servers
	cd tests && go test -p 1 -timeout 20m $(TESTFLAGS) ./...

.PHONY: fault-test
fault-test: build node_modules ## The exporter's faults at their full length (60 s, ten minutes), some 13 minutes
	cd tests && AVIKA_FAULT_LONG=1 go test -count=1 -parallel 6 -timeout 40m -v ./exporter

bin/bench: $(SOURCES) $(shell git ls-files -co --exclude-standard -- 'tests/bench/*.go' 'tests/harness/*.go')
	@echo "building $@"
	@cd tests && go build -trimpath -o ../$@ ./bench

.PHONY: bench
bench: build bin/bench node_modules ## The load targets in under five minutes: rows, lost, doubled, CPU, memory, age
	bin/bench short

.PHONY: bench-full
bench-full: build bin/bench node_modules ## The load targets at their full length, 40 minutes
	bin/bench full

.PHONY: bench-compare
bench-compare: build bin/bench node_modules ## The same OTLP rows through contrib's ClickHouse exporter and ours
	tests/peer/build.sh
	bin/bench compare

.PHONY: bench-scale
bench-scale: build bin/bench node_modules ## The gateway from 10 to 10,000 agents on 1, 2 and 4 replicas, and the plot of docs/sizing.md
	for replicas in 1 2 4; do bin/bench scale --replicas $$replicas || exit 1; done
	bin/bench scale --plot docs/images/scaling-law.svg

.PHONY: bench-faults
bench-faults: build bin/bench node_modules ## Five minutes of random faults under load: every row counted
	bin/bench faults $(ARGS)

.PHONY: bench-once
bench-once: build ## The receiver's benchmarks once each, so that none of them rots
	go test -run '^$$' -bench . -benchtime 1x ./receiver/...
	cd tests && AVIKA_BENCH_SECONDS=1 go test -run '^$$' -bench . -benchtime 1x ./receiver

KAFKA_LIBS := $(CURDIR)/.tools/kafka
$(KAFKA_LIBS)/fetched: tests/kafka/pom.xml
	@echo "fetching Apache Kafka with Maven (43 MB)"
	@mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(KAFKA_LIBS) -DincludeScope=runtime
	@touch $@

.PHONY: kafka
kafka: $(KAFKA_LIBS)/fetched ## Fetch Apache Kafka from Maven Central (needs Java 17 and Maven)

.PHONY: test-kafka
test-kafka: build node_modules kafka ## The tests of the queue on a real Apache Kafka, and those that end it
	cd tests && AVIKA_KAFKA_LIBS=$(KAFKA_LIBS) go test -p 1 -timeout 20m -tags realkafka $(TESTFLAGS) ./kafka

.PHONY: screenshots
screenshots: build node_modules ## Make the pictures of the fleet page in docs/images anew
	cd tests && go test -tags screenshots -run TestScreenshots -count 1 ./registry

.PHONY: generate
generate: ## Regenerate what mdatagen, protoc-gen-go and the dashboards' generator write
	cd internal/tools && go run ./protogen -I ../../proto -out ../../proto/agentv1 agent.proto
	cd internal/tools && go run ./dashboards
	go generate ./...

.PHONY: fmt
fmt: ## Format all Go files
	$(TOOL) gofumpt -w $$($(FORMATTED))

.PHONY: lint
lint: ## Format, vet and staticcheck
	@unformatted=$$($(TOOL) gofumpt -l $$($(FORMATTED))); \
		if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	cd tests && go vet ./... && go tool -modfile=../internal/tools/go.mod staticcheck ./...

.PHONY: check-generated
check-generated: generate ## Fail when regenerating changes a committed file
	@git diff --exit-code --stat -- '*.pb.go' '*generated_*' '*/documentation.md' '*/metadata/*' deploy/grafana/dashboards deploy/helm/avika || \
		{ echo "generated files are stale: commit what make generate wrote"; exit 1; }

.PHONY: validate
validate: $(GATEWAY) ## Check every shipped configuration with the gateway itself
	@for file in distributions/avika-gateway/config/*.yaml; do \
		echo "validate $$file"; bin/otelcol-avika validate --config "$$file" || exit 1; done

include distributions/avika-gateway/release.mk

.PHONY: clean
clean: ## Remove what was built, and the data of make run
	rm -rf bin .local node_modules
