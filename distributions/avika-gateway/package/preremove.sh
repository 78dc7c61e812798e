#!/bin/sh
# Removal, not the first half of an upgrade: deb says "remove", rpm says 0.
set -e
if [ "$1" = remove ] || [ "$1" = 0 ]; then
  if [ -d /run/systemd/system ]; then
    systemctl disable --now otelcol-avika.service || true
  fi
fi
