#!/bin/sh
# First installation: deb says "configure" without a version, rpm says 1. The service is not started, as it does not know
# its ClickHouse yet; after an upgrade it is started again when it ran.
set -e
install -d -m 0750 -o otelcol-avika -g otelcol-avika /var/lib/otelcol-avika
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if { [ "$1" = configure ] && [ -n "$2" ]; } || [ "$1" = 2 ]; then
  systemctl try-restart otelcol-avika.service
else
  echo "otelcol-avika: edit /etc/otelcol-avika/otelcol-avika.env, then: systemctl enable --now otelcol-avika"
fi
