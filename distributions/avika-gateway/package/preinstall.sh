#!/bin/sh
# The service's user, before files are there. Its home is the state directory.
set -e
if ! getent group otelcol-avika >/dev/null; then
  groupadd --system otelcol-avika
fi
if ! getent passwd otelcol-avika >/dev/null; then
  useradd --system --gid otelcol-avika --home-dir /var/lib/otelcol-avika --no-create-home --shell /usr/sbin/nologin otelcol-avika
fi
