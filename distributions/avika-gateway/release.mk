# Programs for other machines, packages, and the proof that they can be built again.
# Included by the Makefile at the root; ARCH is amd64 or arm64.

ARCH ?= $(shell go env GOARCH)
ARCHES := amd64 arm64
PROGRAMS := otelcol-avika agentsim avika-topics httpget
# No path, no time of the build and no state of the work tree gets into a program.
CROSS = CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
# Packages carry the time of the commit rather than of the build.
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: version
version: ## Version, commit and date of what would be built, one a line
	@printf 'version=%s\ncommit=%s\ndate=%s\n' '$(VERSION)' '$(COMMIT)' '$(DATE)'

.PHONY: programs
programs: $(addprefix bin/linux-$(ARCH)/,$(PROGRAMS)) ## Build the programs for linux/ARCH into bin/linux-ARCH

# The distribution's own program is generated once, and compiled for each machine.
bin/source/main.go: builder-config.yaml $(SOURCES)
	@mkdir -p $(@D)
	@env $(DIST_VERSION) dist.output_path=./bin/source $(TOOL) builder --config builder-config.yaml --skip-compilation >bin/source.log 2>&1 || { cat bin/source.log; exit 1; }

bin/linux-%/otelcol-avika: bin/source/main.go
	@echo "building $@ (some minutes the first time)"
	@mkdir -p $(@D)
	@cd bin/source && $(CROSS) -o ../linux-$*/otelcol-avika .

bin/linux-%/agentsim bin/linux-%/avika-topics bin/linux-%/httpget: $(SOURCES)
	@$(CROSS) -o bin/linux-$*/ ./cmd/agentsim ./cmd/avika-topics ./cmd/httpget

# As it is in the image, for the tests of the image.
bin/httpget: $(SOURCES)
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/httpget

.PHONY: packages
packages: programs ## deb and rpm for linux/ARCH, from bin/linux-ARCH into bin/packages
	@mkdir -p bin/packages
	@for kind in deb rpm; do ARCH=$(ARCH) VERSION='$(VERSION)' SOURCE_DATE_EPOCH=$(EPOCH) \
		$(TOOL) nfpm package --config distributions/avika-gateway/package/nfpm.yaml --packager $$kind --target bin/packages/ || exit 1; done

.PHONY: release
release: ## Everything a release consists of, for amd64 and arm64, with checksums, into bin/packages
	@for arch in $(ARCHES); do $(MAKE) --no-print-directory packages ARCH=$$arch || exit 1; \
		tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(EPOCH) -C bin/linux-$$arch -c $(PROGRAMS) | gzip -n >bin/packages/otelcol-avika_$(VERSION)_linux_$$arch.tar.gz || exit 1; done
	@cd bin/packages && sha256sum *.deb *.rpm *.tar.gz >SHA256SUMS && cat SHA256SUMS

.PHONY: release-check
release-check: ## Build a release twice, in two places and from an empty build cache, and compare (some 20 minutes)
	@distributions/avika-gateway/release-check.sh
