# Waits for READY_URL, sends one log record to OTLP_URL, and waits until it is in ClickHouse (without CLICKHOUSE_URL: until it is
# taken; without OTLP_URL it is not sent).
set -eu
id="helm-test-$(date +%s)-$$"
echo "ready? $READY_URL"
curl -sSk --fail --retry 30 --retry-delay 2 --retry-all-errors "$READY_URL" >/dev/null
if [ -z "${OTLP_URL:-}" ]; then
  echo "ready; clients need a certificate, which this test has not"
  exit 0
fi
echo "sending $id to $OTLP_URL"
curl -sSk --fail --retry 10 --retry-delay 2 --retry-all-errors -H 'Content-Type: application/json' "$OTLP_URL" --data-binary @- <<RECORD >/dev/null
{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"helm-test"}}]},
"scopeLogs":[{"logRecords":[{"timeUnixNano":"$(date +%s)000000000","body":{"stringValue":"$id"}}]}]}]}
RECORD
if [ -z "${CLICKHOUSE_URL:-}" ]; then
  echo "taken; the ClickHouse is not the chart's, look there for $id in otel_logs"
  exit 0
fi
tries=60
while [ $tries -gt 0 ]; do
  found=$(curl -sS --user "$CLICKHOUSE_USERNAME:$CLICKHOUSE_PASSWORD" "$CLICKHOUSE_URL" --data-binary \
    "SELECT count() FROM $CLICKHOUSE_DATABASE.otel_logs WHERE Body = '$id' AND Timestamp > now() - INTERVAL 1 HOUR")
  if [ "$found" = 1 ]; then
    echo "stored once"
    exit 0
  fi
  tries=$((tries - 1))
  sleep 1
done
echo "not in ClickHouse after 60 s; it answered: $found"
exit 1
