package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/avika-ai/avika-collector/internal/localstack"
)

// host is where everything listens.
const host = "127.0.0.1"

// options are the command line and what of the environment matters.
type options struct {
	root, data string
	// clickHouse is an existing server (CLICKHOUSE_ENDPOINT); empty: one is started.
	clickHouse                   string
	database, username, password string

	clickHousePort, clickHouseHTTPPort, agentPort, httpPort, metricsPort     int
	otlpGRPCPort, otlpHTTPPort, healthPort, pprofPort, zpagesPort, nginxPort int

	rate     float64
	interval time.Duration
}

// port is one that must be free: its flag, where its number goes, the default and who listens there.
type port struct {
	flag    string
	number  *int
	normal  int
	purpose string
}

func (o *options) ports() []port {
	return []port{
		{"clickhouse-port", &o.clickHousePort, 9000, "ClickHouse, native protocol"},
		{"clickhouse-http-port", &o.clickHouseHTTPPort, 8123, "ClickHouse, HTTP"},
		{"agent-port", &o.agentPort, 5020, "agents, gRPC"},
		{"http-port", &o.httpPort, 5021, "REST, /health and /ready"},
		{"metrics-port", &o.metricsPort, 5022, "the gateway's own metrics"},
		{"otlp-grpc-port", &o.otlpGRPCPort, 4317, "OTLP, gRPC"},
		{"otlp-http-port", &o.otlpHTTPPort, 4318, "OTLP, HTTP"},
		{"health-port", &o.healthPort, 13133, "the collector's health"},
		{"pprof-port", &o.pprofPort, 1777, "the gateway's profiles"},
		{"zpages-port", &o.zpagesPort, 55679, "the gateway's debug pages"},
		{"nginx-port", &o.nginxPort, 8080, "NGINX"},
	}
}

func parseOptions(args []string, env func(string) string) (options, error) {
	o := options{
		clickHouse: env("CLICKHOUSE_ENDPOINT"), password: env("CLICKHOUSE_PASSWORD"),
		database: orDefault(env("CLICKHOUSE_DATABASE"), "nginx_analytics"),
		username: orDefault(env("CLICKHOUSE_USERNAME"), "default"),
	}
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	for _, p := range o.ports() {
		flags.IntVar(p.number, p.flag, p.normal, "port of "+p.purpose)
	}
	flags.StringVar(&o.data, "data", "", "folder of data and logs (default .local in the repository)")
	flags.Float64Var(&o.rate, "rate", 20, "requests per second that are sent to NGINX; 0: none")
	flags.DurationVar(&o.interval, "status-interval", time.Second, "time between two looks at the status")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "Usage: make run ARGS='[OPTION...]'\n\nCLICKHOUSE_ENDPOINT in the environment: that server is used and none is started.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, o.resolve()
}

func (o *options) resolve() (err error) {
	if o.rate < 0 || o.interval <= 0 {
		return fmt.Errorf("--rate %v must not be negative and --status-interval %v must be positive", o.rate, o.interval)
	}
	if o.root, err = localstack.RepositoryRoot(); err != nil {
		return err
	}
	if o.data == "" {
		o.data = filepath.Join(o.root, ".local")
	}
	o.data, err = filepath.Abs(o.data)
	return err
}

// checkPorts names every port that is taken, and the option that changes it.
func (o *options) checkPorts() error {
	var taken []string
	for _, p := range o.ports() {
		if o.clickHouse != "" && strings.HasPrefix(p.flag, "clickhouse-") {
			continue
		}
		if localstack.PortInUse(addr(*p.number)) {
			taken = append(taken, fmt.Sprintf("port %d (%s) is in use: choose another with --%s", *p.number, p.purpose, p.flag))
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("%s\nfor example: make run ARGS='--%s %s'; or is another `make run` still up?",
		strings.Join(taken, "\n"), flagOf(taken[0]), "18000")
}

func flagOf(message string) string { return message[strings.LastIndex(message, "--")+2:] }

// gatewayEnv are the settings of the shipped configuration.
func (o *options) gatewayEnv(clickHouse string) []string {
	return []string{
		"AVIKA_LISTEN_HOST=" + host, "AVIKA_STATE_DIR=" + filepath.Join(o.data, "gateway"),
		"AVIKA_AGENT_PORT=" + strconv.Itoa(o.agentPort), "AVIKA_HTTP_PORT=" + strconv.Itoa(o.httpPort),
		"AVIKA_METRICS_PORT=" + strconv.Itoa(o.metricsPort), "HEALTH_PORT=" + strconv.Itoa(o.healthPort),
		"PPROF_PORT=" + strconv.Itoa(o.pprofPort), "ZPAGES_PORT=" + strconv.Itoa(o.zpagesPort),
		"OTLP_GRPC_PORT=" + strconv.Itoa(o.otlpGRPCPort), "OTLP_HTTP_PORT=" + strconv.Itoa(o.otlpHTTPPort),
		"CLICKHOUSE_ENDPOINT=" + clickHouse, "CLICKHOUSE_DATABASE=" + o.database,
		"CLICKHOUSE_USERNAME=" + o.username, "CLICKHOUSE_PASSWORD=" + o.password,
		"GATEWAY_ID=" + orDefault(os.Getenv("GATEWAY_ID"), "quickstart"),
	}
}

// addresses is what to open.
func (o *options) addresses(nginx bool) string {
	lines := []string{""}
	add := func(purpose, address string) { lines = append(lines, fmt.Sprintf("  %-12s %s", purpose, address)) }
	if nginx {
		add("NGINX", url(o.nginxPort, "/"))
	}
	add("fleet page", url(o.httpPort, "/"))
	add("metrics", url(o.metricsPort, "/metrics"))
	if o.clickHouse == "" {
		add("ClickHouse", url(o.clickHouseHTTPPort, "/play")+" (database "+o.database+", native port "+strconv.Itoa(o.clickHousePort)+")")
	} else {
		add("ClickHouse", o.clickHouse+" (database "+o.database+")")
	}
	add("agents", fmt.Sprintf("localhost:%d (gRPC)", o.agentPort))
	add("OTLP", fmt.Sprintf("localhost:%d (gRPC), localhost:%d (HTTP)", o.otlpGRPCPort, o.otlpHTTPPort))
	add("logs", filepath.Join(o.data, "log"))
	return strings.Join(append(lines, "", "Ctrl-C stops everything; the data stay in "+o.data, ""), "\n")
}

func addr(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func url(port int, path string) string { return fmt.Sprintf("http://localhost:%d%s", port, path) }

func orDefault(value, normal string) string {
	if value == "" {
		return normal
	}
	return value
}
