package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// visitors is how many requests may be under way; when all wait, new ones are left out rather than piled up.
const visitors = 16

// visit is a kind of request and how often it comes.
type visit struct {
	weight       int
	method, path string
	body         int           // bytes
	patience     time.Duration // the client goes away then; 0: it waits
}

// visits are a shop's day: most succeed, some are redirected, refused, not found, too large or given up.
var visits = []visit{
	{weight: 30, method: http.MethodGet, path: "/"},
	{weight: 22, method: http.MethodGet, path: "/api/products?page=%d"},
	{weight: 14, method: http.MethodGet, path: "/api/products/%d"},
	{weight: 12, method: http.MethodGet, path: "/api/orders?page=%d"},
	{weight: 6, method: http.MethodPost, path: "/api/orders", body: 300},
	{weight: 6, method: http.MethodGet, path: "/api/stock/%d"},
	{weight: 6, method: http.MethodPost, path: "/api/payments", body: 200},
	{weight: 2, method: http.MethodPut, path: "/api/profile", body: 500},
	{weight: 2, method: http.MethodDelete, path: "/api/cart/%d"},
	{weight: 2, method: http.MethodHead, path: "/"},
	{weight: 1, method: http.MethodOptions, path: "/api/orders"},
	{weight: 2, method: http.MethodGet, path: "/api/report?month=%d"},
	{weight: 1, method: http.MethodGet, path: "/api/report?month=%d", patience: 100 * time.Millisecond},
	{weight: 1, method: http.MethodGet, path: "/api/session"},
	{weight: 2, method: http.MethodGet, path: "/old-shop"},
	{weight: 1, method: http.MethodGet, path: "/admin/users"},
	{weight: 2, method: http.MethodGet, path: "/wp-login.php?attempt=%d"},
	{weight: 1, method: http.MethodPost, path: "/api/orders", body: 80 << 10},
}

var userAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"curl/8.14.1",
}

// traffic sends seeded requests at random moments around a rate.
type traffic struct {
	base   string
	rate   float64
	client http.Client
	random *rand.Rand
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

func (s *stack) startTraffic(ctx context.Context) error {
	if s.opts.rate == 0 {
		return nil
	}
	t := &traffic{base: "http://" + addr(s.opts.nginxPort), rate: s.opts.rate, random: rand.New(rand.NewPCG(1, 8080))}
	t.client.Transport = &http.Transport{MaxIdleConnsPerHost: visitors, DisableCompression: true}
	t.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx, t.cancel = context.WithCancel(ctx)
	t.ended.Go(func() { t.run(ctx) })
	s.parts = append(s.parts, part{name: trafficName, stop: t.stop})
	s.screen.say("✓ sending about %g requests per second to NGINX", s.opts.rate)
	return nil
}

func (t *traffic) stop() error {
	t.cancel()
	t.ended.Wait()
	t.client.CloseIdleConnections()
	return nil
}

func (t *traffic) run(ctx context.Context) {
	free := make(chan struct{}, visitors)
	for {
		wait := time.NewTimer(time.Duration(t.random.ExpFloat64() / t.rate * float64(time.Second)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		send := t.next()
		select {
		case free <- struct{}{}:
			t.ended.Go(func() { send(ctx); <-free })
		default:
		}
	}
}

// next draws a request. The drawing is done by one goroutine, so that the sequence depends on the seed alone.
func (t *traffic) next() func(context.Context) {
	v := pick(t.random.IntN(totalWeight()))
	path := v.path
	if strings.Contains(path, "%d") {
		path = fmt.Sprintf(path, 1+t.random.IntN(50))
	}
	header := http.Header{
		"User-Agent": {userAgents[t.random.IntN(len(userAgents))]},
		"Referer":    {t.base + "/"},
		// Addresses from the range that is reserved for documentation.
		"X-Forwarded-For": {fmt.Sprintf("203.0.113.%d", 1+t.random.IntN(254))},
		"Traceparent":     {fmt.Sprintf("00-%016x%016x-%016x-01", t.random.Uint64(), t.random.Uint64(), t.random.Uint64())},
	}
	return func(ctx context.Context) { t.send(ctx, v, path, header) }
}

func (t *traffic) send(ctx context.Context, v visit, path string, header http.Header) {
	if v.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, v.patience)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, v.method, t.base+path, strings.NewReader(strings.Repeat("x", v.body)))
	if err != nil {
		return
	}
	req.Header = header
	resp, err := t.client.Do(req)
	if err != nil {
		return // NGINX has written down what happened
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

func totalWeight() (sum int) {
	for _, v := range visits {
		sum += v.weight
	}
	return sum
}

// pick is the visit in whose share n, below totalWeight, falls.
func pick(n int) visit {
	for _, v := range visits {
		if n < v.weight {
			return v
		}
		n -= v.weight
	}
	return visits[0]
}
