#!/bin/sh
# Purging (deb) removes what the service wrote, its queue on disk included. The user stays, as files elsewhere may be its own.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/otelcol-avika /etc/otelcol-avika
fi
