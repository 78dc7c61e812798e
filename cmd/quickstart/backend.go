package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// backends are the application servers behind NGINX. The second one is the worse: it refuses some requests with 503 and
// breaks some off. NGINX tries those of a GET with the first one; a payment it does not send twice.
type backends struct {
	addrs   []string
	servers []*http.Server
	serving sync.WaitGroup
}

func startBackends() (*backends, error) {
	b := &backends{}
	for i := range 2 {
		l, err := net.Listen("tcp", addr(0))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start an application server: %w", err), b.stop())
		}
		server := &http.Server{Handler: newShop(uint64(i)), ReadHeaderTimeout: 5 * time.Second}
		b.addrs, b.servers = append(b.addrs, l.Addr().String()), append(b.servers, server)
		b.serving.Go(func() { _ = server.Serve(l) })
	}
	return b, nil
}

func (b *backends) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	for _, server := range b.servers {
		errs = append(errs, server.Shutdown(ctx))
	}
	b.serving.Wait()
	return errors.Join(errs...)
}

// shop answers after a while, as applications do.
type shop struct {
	*http.ServeMux
	second bool

	mu     sync.Mutex
	random *rand.Rand
}

func newShop(number uint64) *shop {
	s := &shop{ServeMux: http.NewServeMux(), second: number == 1, random: rand.New(rand.NewPCG(number, 5020))}
	s.HandleFunc("GET /api/products", s.answer(http.StatusOK, 4*time.Millisecond, 2400))
	s.HandleFunc("GET /api/products/{id}", s.answer(http.StatusOK, 3*time.Millisecond, 800))
	s.HandleFunc("GET /api/orders", s.answer(http.StatusOK, 2*time.Millisecond, 1500))
	s.HandleFunc("POST /api/orders", s.answer(http.StatusCreated, 12*time.Millisecond, 200))
	s.HandleFunc("PUT /api/profile", s.answer(http.StatusNoContent, 6*time.Millisecond, 0))
	s.HandleFunc("DELETE /api/cart/{id}", s.answer(http.StatusNoContent, 3*time.Millisecond, 0))
	s.HandleFunc("GET /api/report", s.answer(http.StatusOK, 350*time.Millisecond, 60000))
	s.HandleFunc("GET /api/session", s.answer(http.StatusUnauthorized, time.Millisecond, 60))
	s.HandleFunc("GET /api/stock/{id}", s.fragile(http.StatusOK, 5*time.Millisecond, 90))
	s.HandleFunc("POST /api/payments", s.fragile(http.StatusCreated, 20*time.Millisecond, 120))
	return s
}

func (s *shop) answer(code int, typical time.Duration, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.work(r.Context(), typical)
		reply(w, code, size)
	}
}

func (s *shop) fragile(code int, typical time.Duration, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		luck := s.float()
		s.work(r.Context(), typical)
		switch {
		case s.second && luck < 0.15:
			reply(w, http.StatusServiceUnavailable, 40)
		case s.second && luck < 0.2:
			panic(http.ErrAbortHandler) // the connection breaks off
		case luck > 0.97:
			reply(w, http.StatusInternalServerError, 40)
		default:
			reply(w, code, size)
		}
	}
}

// work takes half to twice the typical time, now and then ten times as long.
func (s *shop) work(ctx context.Context, typical time.Duration) {
	factor := 0.5 + 1.5*s.float()
	if s.float() < 0.01 {
		factor *= 10
	}
	timer := time.NewTimer(time.Duration(factor * float64(typical)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *shop) float() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Float64()
}

var filler = make([]byte, 64<<10)

func reply(w http.ResponseWriter, code, size int) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if size > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(size))
	}
	w.WriteHeader(code)
	_, _ = w.Write(filler[:size])
}
