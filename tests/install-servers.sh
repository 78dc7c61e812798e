#!/usr/bin/env bash
# Installs the real servers the tests use, where that is allowed; otherwise says in one line what will be skipped.
# In CI (CI=true) a missing one is an error, because nothing may be skipped there.
set -uo pipefail

missing=()
have() { command -v "$1" >/dev/null || compgen -G "$2" >/dev/null; }
have nginx '/usr/sbin/nginx' || missing+=(nginx)
have initdb '/usr/lib/postgresql/*/bin/initdb' || missing+=(postgresql)
have chromium '/usr/bin/chromium' || missing+=(chromium)
have pgbouncer '/usr/sbin/pgbouncer' || missing+=(pgbouncer)
have curl '/usr/bin/curl' || missing+=(curl)
have promtool /usr/bin/promtool || missing+=(prometheus)
have rpm '/usr/bin/rpm' || missing+=(rpm)
have systemd-analyze '/usr/bin/systemd-analyze' || missing+=(systemd)
have '' '/usr/lib/nginx/modules/ngx_stream_module.so' || missing+=(libnginx-mod-stream)
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo -n); fi
if command -v apt-get >/dev/null && "${sudo[@]}" true 2>/dev/null; then
  echo "installing ${missing[*]} with apt-get"
  export DEBIAN_FRONTEND=noninteractive
  if "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    exit 0
  fi
  reason="apt-get failed"
else
  reason="apt-get is not allowed here"
fi
echo "not installed: ${missing[*]} ($reason); the tests that need them are skipped"
[ "${CI:-}" != true ]
