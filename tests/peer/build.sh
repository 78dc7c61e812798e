#!/usr/bin/env bash
# Builds the peer into tests/peer/dist/otelcol-peer. It is in a module of its own: its versions are not ours.
set -euo pipefail
cd "$(dirname "$0")"
go run go.opentelemetry.io/collector/cmd/builder@v0.161.0 --config ocb.yaml
