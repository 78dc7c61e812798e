// Command httpget fetches a URL and writes the body to standard output. It is for container images without a shell: their
// HEALTHCHECK, and a look at metrics and profiles with `docker exec` and `kubectl exec`, where it also answers to the name curl.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Exit codes are curl's.
const (
	exitUsage   = 2
	exitFailed  = 7
	exitRefused = 22
)

const usage = `httpget fetches a URL and writes the body to standard output.

  httpget [-f] [-s] [-m SECONDS] URL       URL without a scheme: http://

  -f     exit with 22 when the answer's status is 400 or more
  -s -S  are accepted as curl's; -fsS is the three of them
  -m S   give up after S seconds (60)

Exit codes: 0 done, 2 wrong options, 7 no answer, 22 see -f.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	url, fail, limit, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "httpget: %v; see httpget --help\n", err)
		return exitUsage
	}
	status, err := fetch(url, limit, stdout)
	switch {
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "httpget:", err)
		return exitFailed
	case fail && status >= http.StatusBadRequest:
		_, _ = fmt.Fprintf(stderr, "httpget: %s: status %d\n", url, status)
		return exitRefused
	default:
		return 0
	}
}

func parse(args []string) (url string, fail bool, limit time.Duration, err error) {
	flags := flag.NewFlagSet("httpget", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var both bool
	flags.BoolVar(&fail, "f", false, "")
	for _, name := range []string{"s", "S", "sS"} {
		flags.Bool(name, false, "")
	}
	for _, name := range []string{"fs", "sf", "fsS", "fSs", "sSf"} {
		flags.BoolVar(&both, name, false, "")
	}
	seconds := flags.Float64("m", 60, "")
	if err = flags.Parse(args); err != nil {
		return "", false, 0, err
	}
	if flags.NArg() != 1 {
		return "", false, 0, fmt.Errorf("one URL is needed, there are %d", flags.NArg())
	}
	if url = flags.Arg(0); !strings.Contains(url, "://") {
		url = "http://" + url
	}
	return url, fail || both, time.Duration(*seconds * float64(time.Second)), nil
}

// fetch copies the body whatever the status is, so that a failing health check says why.
func fetch(url string, limit time.Duration, body io.Writer) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(body, response.Body)
	return response.StatusCode, err
}
