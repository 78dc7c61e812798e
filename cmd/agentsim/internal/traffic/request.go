package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// request is one simulated request, without its time and id.
type request struct {
	client, forwardedFor  string
	method, uri, protocol string
	status                int
	bodyBytes, sentBytes  int64
	seconds               float64
	attempts              []attempt
	referer, userAgent    string
	host, scheme, cache   string
}

// attempt is one try at one upstream server. Times below 0 are written as "-".
type attempt struct {
	address                 string
	status                  int
	connect, header, answer float64
}

func newRequest(r *rand.Rand) request {
	kind := pick(r, routes)
	q := request{
		client: clientAddress(r), method: kind.method, uri: kind.path(r), host: "shop.example.com", scheme: "https",
		protocol:  pick(r, []choice[string]{{60, "HTTP/2.0"}, {38, "HTTP/1.1"}, {2, "HTTP/1.0"}}),
		status:    pick(r, statuses[kind.method]),
		referer:   pick(r, referers),
		userAgent: pick(r, userAgents),
	}
	if r.IntN(4) == 0 {
		q.forwardedFor = clientAddress(r)
	}
	q.bodyBytes = bodySize(r, kind, q.status)
	q.sentBytes = q.bodyBytes + 240 + int64(r.IntN(220))
	q.seconds = logNormal(r, kind.median, 0.7)
	q.addUpstream(r, kind)
	return q
}

// addUpstream invents the attempts behind the request: none for files and cache hits, several after a failed server.
func (q *request) addUpstream(r *rand.Rand, kind route) {
	if kind.pool == "" {
		return
	}
	q.cache = pick(r, []choice[string]{{70, ""}, {18, "MISS"}, {10, "HIT"}, {2, "EXPIRED"}})
	if q.cache == "HIT" && q.status == 200 {
		q.seconds = logNormal(r, 0.0008, 0.4)
		return
	}
	servers := pools[kind.pool]
	first := r.IntN(len(servers))
	for n := failures(r); n > 0; n-- {
		q.attempts = append(q.attempts, failedAttempt(r, servers[(first+n)%len(servers)]))
		q.seconds += q.attempts[len(q.attempts)-1].answer
	}
	q.attempts = append(q.attempts, lastAttempt(r, servers[first], q.status, logNormal(r, kind.median, 0.7)))
	q.seconds = sumOfAnswers(q.attempts) + logNormal(r, 0.001, 0.6)
}

// failures is how many servers failed before the last attempt: 3 requests in 100 are retried.
func failures(r *rand.Rand) int {
	return pick(r, []choice[int]{{970, 0}, {25, 1}, {5, 2}})
}

func failedAttempt(r *rand.Rand, address string) attempt {
	if r.IntN(2) == 0 { // refused
		return attempt{address: address, status: 502, connect: -1, header: -1, answer: 0.001}
	}
	answer := logNormal(r, 0.4, 0.8)
	return attempt{address: address, status: 504, connect: 0.001, header: -1, answer: answer}
}

func lastAttempt(r *rand.Rand, address string, status int, answer float64) attempt {
	a := attempt{address: address, status: status, connect: logNormal(r, 0.0008, 0.5), answer: answer}
	a.header = max(a.connect, answer*0.92)
	a.answer = max(a.answer, a.header)
	if status == 499 {
		a.status, a.header = 0, -1
	}
	return a
}

func sumOfAnswers(attempts []attempt) float64 {
	sum := 0.0
	for _, a := range attempts {
		sum += a.answer
	}
	return sum
}

func bodySize(r *rand.Rand, kind route, status int) int64 {
	switch {
	case status == 304 || status == 204 || status == 499 || kind.method == "HEAD":
		return 0
	case status >= 300:
		return 150 + int64(r.IntN(40))
	}
	return int64(logNormal(r, kind.size, 0.5))
}

func logNormal(r *rand.Rand, median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

// list joins one value per attempt as NGINX does.
func (q *request) list(of func(attempt) string) string {
	parts := make([]string, len(q.attempts))
	for i, a := range q.attempts {
		parts[i] = of(a)
	}
	return strings.Join(parts, ", ")
}

func milliseconds(s float64) string {
	if s < 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", s)
}

func statusText(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
