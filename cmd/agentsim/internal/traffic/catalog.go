package traffic

import (
	"fmt"
	"math/rand/v2"
)

// choice is a value with its share.
type choice[T any] struct {
	share int
	value T
}

func pick[T any](r *rand.Rand, from []choice[T]) T {
	total := 0
	for _, c := range from {
		total += c.share
	}
	n := r.IntN(total)
	for _, c := range from {
		if n -= c.share; n < 0 {
			return c.value
		}
	}
	return from[len(from)-1].value
}

// route is one kind of request of the simulated shop.
type route struct {
	method string
	path   func(r *rand.Rand) string
	pool   string  // upstream name, empty for files that NGINX serves itself
	median float64 // of the request time, s
	size   float64 // median of the body, bytes
}

func fixed(path string) func(*rand.Rand) string { return func(*rand.Rand) string { return path } }

// numbered inserts an id of which low ones are far more frequent, as in real traffic.
func numbered(format string, n uint64) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		return fmt.Sprintf(format, rand.NewZipf(r, 1.2, 8, n).Uint64()+1)
	}
}

var routes = []choice[route]{
	{10, route{"GET", fixed("/"), "web", 0.045, 18000}},
	{16, route{"GET", numbered("/products/%d", 50000), "web", 0.060, 24000}},
	{8, route{"GET", numbered("/api/v1/products?page=%d&per_page=24&sort=popular", 200), "api", 0.080, 9000}},
	{7, route{"GET", numbered("/api/v1/products/%d/stock", 50000), "api", 0.020, 180}},
	{6, route{"GET", numbered("/search?q=item+%d&lang=en", 4000), "search", 0.140, 15000}},
	{5, route{"POST", fixed("/api/v1/cart/items"), "api", 0.050, 420}},
	{3, route{"POST", fixed("/api/v1/orders"), "api", 0.220, 900}},
	{2, route{"PUT", numbered("/api/v1/cart/items/%d", 90000), "api", 0.040, 300}},
	{1, route{"DELETE", numbered("/api/v1/cart/items/%d", 90000), "api", 0.030, 0}},
	{4, route{"POST", fixed("/login"), "web", 0.180, 600}},
	{9, route{"GET", numbered("/static/js/chunk-%04x.js", 60), "", 0.0006, 48000}},
	{6, route{"GET", numbered("/static/css/theme-%d.css", 6), "", 0.0004, 16000}},
	{14, route{"GET", numbered("/images/products/%d.webp?w=640", 50000), "", 0.0009, 52000}},
	{4, route{"GET", fixed("/healthz"), "web", 0.002, 2}},
	{2, route{"HEAD", fixed("/"), "web", 0.020, 0}},
	{1, route{"OPTIONS", fixed("/api/v1/orders"), "api", 0.002, 0}},
	{2, route{"GET", fixed("/wp-login.php"), "web", 0.004, 153}},
	{1, route{"GET", fixed("/.env"), "web", 0.003, 153}},
}

// statuses holds what NGINX answers when nothing is wrong upstream.
var statuses = map[string][]choice[int]{
	"GET":     {{880, 200}, {40, 304}, {25, 301}, {30, 404}, {8, 403}, {4, 499}, {6, 500}, {4, 502}, {2, 503}, {1, 504}},
	"HEAD":    {{95, 200}, {5, 301}},
	"OPTIONS": {{1, 204}},
	"POST":    {{780, 200}, {120, 201}, {40, 302}, {30, 401}, {15, 422}, {5, 429}, {6, 500}, {4, 499}},
	"PUT":     {{95, 200}, {3, 409}, {2, 404}},
	"DELETE":  {{97, 204}, {3, 404}},
}

var userAgents = []choice[string]{
	{22, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"},
	{18, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"},
	{15, "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"},
	{10, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"},
	{9, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"},
	{5, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"},
	{4, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	{4, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
	{3, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"},
	{3, "ShopApp/7.12.1 (Android 14; build 71201)"},
	{2, "curl/8.11.0"},
	{2, "python-requests/2.32.3"},
	{2, "kube-probe/1.33"},
	{1, "Go-http-client/1.1"},
	{1, ""},
}

var referers = []choice[string]{
	{45, ""},
	{25, "https://shop.example.com/"},
	{15, "https://shop.example.com/search?q=winter+jacket"},
	{8, "https://www.google.com/"},
	{4, "https://www.bing.com/"},
	{3, "https://news.example.org/2026/03/best-of"},
}

// pools lists the servers behind each upstream.
var pools = map[string][]string{
	"web":    {"10.20.1.11:8080", "10.20.1.12:8080", "10.20.1.13:8080", "10.20.1.14:8080"},
	"api":    {"10.20.2.21:9000", "10.20.2.22:9000", "10.20.2.23:9000"},
	"search": {"10.20.3.31:7700", "[fd00:20:3::32]:7700"},
}

// clientAddress makes a client address; some clients speak IPv6.
func clientAddress(r *rand.Rand) string {
	if r.IntN(12) == 0 {
		return fmt.Sprintf("2001:db8:%x:%x::%x", r.IntN(0x400), r.IntN(0x10000), r.IntN(0x1000)+1)
	}
	first := pick(r, []choice[int]{{3, 81}, {3, 93}, {2, 24}, {2, 73}, {2, 109}, {1, 203}, {1, 198}, {1, 177}})
	return fmt.Sprintf("%d.%d.%d.%d", first, r.IntN(256), r.IntN(256), r.IntN(254)+1)
}
