package cli

const help = `agentsim behaves as Avika agents do: one on a real NGINX, or a simulated fleet.

  agentsim --tail /var/log/nginx/access.log --stub-status http://127.0.0.1:8080/stub_status
  agentsim --agents 100 --rate 1000 --duration 60s
  agentsim --agents 10000 --rate 0                       heartbeats and metrics alone
  agentsim --agents 4 --rate max --duration 10s          as fast as the gateway reads
  agentsim --agents 10 --rate 500 --total 100000 --json  an exact number; a summary for scripts

Connection
  --gateway HOST:PORT       gateway to dial (localhost:5020)
  --psk HEX                 pre-shared key, 64 hex digits; better in AVIKA_PSK or --psk-file, which ps does not show
  --psk-file FILE           file that holds the key
  --tls                     use TLS; implied by the options below
  --tls-ca FILE             CA of the gateway's certificate (the system's)
  --tls-cert FILE --tls-key FILE
                            client certificate
  --tls-insecure-skip-verify
                            accept any certificate
  --reconnect-wait D        pause after a broken stream (5s)
  --transport grpc|wire     grpc is the library that stock agents use; wire writes the same bytes itself at a part of
                            the CPU and memory (grpc with --tail, wire for a fleet)

Agent
  --agent-id ID             id, or what all ids of a fleet start with (host name and address)
  --hostname NAME           host name, or what all host names of a fleet start with
  --labels K=V,K=V          labels in heartbeats and metrics
  --heartbeat-interval D    (1s), 0: none but the first
  --metrics-interval D      (1s), 0: none
  --state-interval D        configuration hashes (1m), 0: none
  --log-format F            json, combined or auto (auto with --tail, json for a fleet)
  --honor-update            an update command changes the agent version in later heartbeats
  --duration D              stop after this time (0: at a signal)
  --json                    print the summary as JSON on standard output

One agent on a real NGINX
  --tail FILE               access log to follow, through rotation and truncation
  --error-log FILE          error log to follow
  --stub-status URL         NGINX's stub_status page
  --nginx-conf FOLDER       folder of nginx.conf, to be hashed
  --state-dir FOLDER        remember how far the logs were sent, for the next start
  --from-start              begin at the logs' starts when nothing is remembered, rather than at their ends
  --buffer-mib N            messages kept in memory during an outage (64); further lines wait in the log file

Simulated fleet
  --agents N                agents, each with a connection of its own (1)
  --rate R                  log entries per second and agent (100); 0: none; max: as fast as flow control lets
  --total N                 log entries of the whole fleet, then stop
  --seed N                  same seed, same traffic (1)
  --run-id HEX              first 8 digits of every request id (random)
  --connect-rate R          connections per second at the start (500); 0: all at once
  --tick D                  how long an agent gathers entries before it writes them (20ms): less is smoother, more is
                            cheaper
  --drain D                 how long entries that are late may take after the end, and the gateway to read all (30s)

Every simulated log entry has a unique request id of 32 hex digits: run id (8), agent number (8), sequence number (16);
with --log-format combined it is in the query string as rid=. What falls due during an outage is sent in a burst
afterwards, with its old times. Progress goes to standard error, the summary to standard output. The first SIGINT or
SIGTERM sends what is under way and ends cleanly, a second one at once.

Exit codes: 0 done, 1 not connected or not everything sent, 2 wrong options.
`
