package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	startTimeout = 10 * time.Second // one attempt to join
	endTimeout   = 3 * time.Second  // requests under way, then handing over what was counted
	writeTimeout = 2 * time.Second  // a visitor waits for his turn to be counted

	maxPage  = 1024   // bytes of a page's path
	maxPages = 10_000 // a page that exists nowhere takes memory everywhere
)

// server is a gossip node with an HTTP server in front of it.
type server struct {
	node   *gossip.Node
	hits   model.Counter
	listen net.Listener
	http   http.Server
}

func start(ctx context.Context, cfg gossip.Config, addr string) (*server, error) {
	listen, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &server{listen: listen}
	if s.node, err = gossip.Start(ctx, cfg); err != nil {
		listen.Close()
		return nil, err
	}
	if err := s.node.Attach("hits", &s.hits); err != nil {
		listen.Close()
		return nil, cmp.Or(err, s.node.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /{page...}", s.visit)
	mux.HandleFunc("DELETE /{page...}", s.reset)
	mux.HandleFunc("GET /favicon.ico", http.NotFound) // browsers ask for it by themselves
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

// serve answers until ctx is done, then ends in order: visits under way are counted,
// and handed over.
func (s *server) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listen) }()
	select {
	case err := <-failed:
		return cmp.Or(fmt.Errorf("http: %w", err), s.node.Close())
	case <-s.node.Done(): // by itself: it turned out that its name is taken, say
		return cmp.Or(s.node.Err(), s.http.Close(), <-failed)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	err := s.http.Shutdown(end)
	if err != nil {
		_ = s.http.Close() // the error is known
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = cmp.Or(err, served)
	}
	return cmp.Or(s.node.Leave(end), err)
}

// visit counts a visit and says how many there were.
func (s *server) visit(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Path
	switch {
	case len(page) > maxPage:
		http.Error(w, fmt.Sprintf("path of %d bytes, at most %d", len(page), maxPage), http.StatusRequestURITooLong)
		return
	case s.hits.Value(page) == 0 && s.hits.Len() >= maxPages:
		http.Error(w, fmt.Sprintf("there are %d pages already", maxPages), http.StatusInsufficientStorage)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), writeTimeout)
	defer cancel()
	if !s.written(w, s.hits.Add(ctx, page, 1)) {
		return
	}
	fmt.Fprintf(w, "%s: %d visits\n", escape(page), s.hits.Value(page))
}

// reset starts a page again at 0.
func (s *server) reset(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), writeTimeout)
	defer cancel()
	if s.written(w, s.hits.Reset(ctx, r.URL.Path)) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// list lists all pages.
func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	var total int64
	for page, n := range s.hits.All() {
		fmt.Fprintf(w, "%d %s\n", n, escape(page))
		total += n
	}
	fmt.Fprintf(w, "%d in total, servers: %d\n", total, s.node.Status().Peers+1)
}

// written reports whether a write went well, and answers if it did not.
func (s *server) written(w http.ResponseWriter, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, model.ErrOverflow):
		http.Error(w, err.Error(), http.StatusConflict)
	default: // the node is closing, or gossip cannot keep up
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
	return false
}

// escape returns a page as it stands in a URL: on one line, whatever is in it.
func escape(page string) string { return (&url.URL{Path: page}).EscapedPath() }
