package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Limits of the API.
const (
	maxKey    = 1 << 10          // bytes of a key, percent-decoded
	maxValue  = 512 << 10        // bytes of a value
	writeWait = 10 * time.Second // for a write that has to wait for its turn
	retry     = "1"              // seconds after which a write that did not get it may be tried again
	maxPage   = 10_000           // keys of a page
	minTTL    = time.Millisecond
	maxTTL    = 10 * 365 * 24 * time.Hour
)

// api is the HTTP API:
//
//	PUT /v1/kv/{key}      204; the body is the value, at most 512 KiB; 503 with
//	                      Retry-After when gossip could not carry it within 10 s;
//	                      507 when the daemon is full (-max-keys, -max-bytes).
//	                      ?ttl=30s: it expires so long after the write, from 1ms to
//	                      87600h, in Go's form of durations
//	GET /v1/kv/{key}      200 with the value, and how long it will live in X-TTL if it
//	                      expires; 404
//	DELETE /v1/kv/{key}   204, also for an unknown key; 503 like PUT
//	GET /v1/kv?prefix=P   {"key": "value in base64", …}; &limit=N&after=K for pages
//	GET /v1/watch?prefix=P  server-sent events, see watch
//	GET /v1/members       [{"name", "addr", "state", "self"}, …]
//	POST /v1/members/{name}/retire  204: a failed node is declared lost for good;
//	                      404 if nothing is known of it, 409 if it is alive
//	GET /v1/status        this node's view of itself and the data
//	GET /healthz          ok
//	GET /metrics          Prometheus
//
// A key is everything after /v1/kv/, percent-decoded once: slashes, empty and
// dot segments are part of it. Any bytes will do, but in the JSON list those that
// are not UTF-8 show as U+FFFD. Errors are {"error": "…"}; only what is no HTTP
// request, such as a path with a broken escape, net/http answers by itself.
type api struct {
	node   *gossip.Node
	keys   *model.Map[[]byte]
	routes map[string]http.Handler // by path; all of them GET

	patience  time.Duration // with a write that has to wait for its turn
	streams   *streams
	heartbeat time.Duration      // between comments in a stream
	ending    context.Context    // done when streams are to end …
	end       context.CancelFunc // … after this
}

func newAPI(node *gossip.Node, keys *model.Map[[]byte], registry *prometheus.Registry, heartbeat time.Duration) *api {
	a := &api{node: node, keys: keys, patience: writeWait, heartbeat: heartbeat}
	a.ending, a.end = context.WithCancel(context.Background())
	a.streams = newStreams(a.ending, keys)
	a.routes = map[string]http.Handler{
		"/v1/kv":      http.HandlerFunc(a.list),
		"/v1/watch":   http.HandlerFunc(a.watch),
		"/v1/members": http.HandlerFunc(a.members),
		"/v1/status":  http.HandlerFunc(a.status),
		"/healthz":    http.HandlerFunc(a.health),
		"/metrics":    promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}
	return a
}

// ServeHTTP routes by the path as it was sent. http.ServeMux would redirect
// paths with empty or dot segments, which are good keys.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if escaped, ok := strings.CutPrefix(path, "/v1/kv/"); ok {
		a.key(w, r, escaped)
		return
	}
	if escaped, ok := strings.CutPrefix(path, "/v1/members/"); ok {
		if escaped, ok := strings.CutSuffix(escaped, "/retire"); ok {
			a.retire(w, r, escaped)
			return
		}
	}
	route, ok := a.routes[path]
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "no such route")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "use GET")
	default:
		route.ServeHTTP(w, r)
	}
}

func (a *api) key(w http.ResponseWriter, r *http.Request, escaped string) {
	key, err := url.PathUnescape(escaped)
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "the key is not percent-encoded correctly")
		return
	case key == "" || len(key) > maxKey:
		fail(w, http.StatusBadRequest, "a key has 1 to 1024 bytes, this one "+strconv.Itoa(len(key)))
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		a.get(w, key)
	case http.MethodPut:
		a.put(w, r, key)
	case http.MethodDelete:
		a.write(w, r, func(ctx context.Context) error { return a.keys.Delete(ctx, key) })
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		fail(w, http.StatusMethodNotAllowed, "use GET, PUT or DELETE")
	}
}

func (a *api) get(w http.ResponseWriter, key string) {
	value, expires, ok := a.keys.GetWithExpiry(key)
	if !ok {
		fail(w, http.StatusNotFound, "no such key")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(value)))
	if !expires.IsZero() {
		left := time.Until(expires) + time.Millisecond - 1 // rounded up
		h.Set("X-TTL", max(left, minTTL).Truncate(time.Millisecond).String())
	}
	w.Write(value)
}

func (a *api) put(w http.ResponseWriter, r *http.Request, key string) {
	ttl, err := ttlOf(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if r.ContentLength > maxValue { // refused before it is sent, if the client waits for 100 Continue
		tooLarge(w)
		return
	}
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		tooLarge(w)
	case err != nil:
		fail(w, http.StatusBadRequest, "the body could not be read: "+err.Error())
	default:
		a.write(w, r, func(ctx context.Context) error {
			if ttl > 0 {
				return a.keys.SetTTL(ctx, key, value, ttl)
			}
			return a.keys.Set(ctx, key, value)
		})
	}
}

// ttlOf returns how long the value of a request is to live, 0 for ever.
func ttlOf(r *http.Request) (time.Duration, error) {
	query, err := parameters(r, "ttl")
	if err != nil || !query.Has("ttl") {
		return 0, err
	}
	ttl, err := time.ParseDuration(query.Get("ttl"))
	if err != nil || ttl < minTTL || ttl > maxTTL {
		return 0, fmt.Errorf("ttl: want a duration from %v to %v, such as 30s, got %q", minTTL, maxTTL, query.Get("ttl"))
	}
	return ttl, nil
}

// write does a write and answers with what came of it.
func (a *api) write(w http.ResponseWriter, r *http.Request, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(r.Context(), a.patience)
	defer cancel()
	switch err := f(ctx); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, gossip.ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "key and value are larger than one update may be")
	case errors.Is(err, gossip.ErrQuota):
		fail(w, http.StatusInsufficientStorage, err.Error()+"; delete something, or raise -max-keys or -max-bytes")
	case errors.Is(err, gossip.ErrClosed):
		fail(w, http.StatusServiceUnavailable, "the daemon is ending")
	case errors.Is(err, gossip.ErrJoining):
		w.Header().Set("Retry-After", retry)
		fail(w, http.StatusServiceUnavailable, "the daemon is joining")
	case errors.Is(err, gossip.ErrThrottled):
		w.Header().Set("Retry-After", retry)
		fail(w, http.StatusServiceUnavailable, "gossip cannot carry more writes now")
	case ctx.Err() != nil:
		fail(w, http.StatusServiceUnavailable, "the request was given up")
	default:
		fail(w, http.StatusInternalServerError, err.Error())
	}
}

// list answers with the keys that begin with prefix: all of them, or, with limit,
// so many in their order, those after the key after. If there are more, the header
// X-Next-After is the last key that is there, percent-encoded: what after must be
// for the next page, whose whole path is in the header Link.
func (a *api) list(w http.ResponseWriter, r *http.Request) {
	query, err := parameters(r, "prefix", "after", "limit")
	limit := 0
	if err == nil {
		limit, err = pageLimit(query)
	}
	after := query.Get("after")
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, err.Error())
		return
	case len(after) > maxKey:
		fail(w, http.StatusBadRequest, "after: a key has at most 1024 bytes, this one "+strconv.Itoa(len(after)))
		return
	}
	// Gathered first: a slow client must not hold up the node.
	all := make(map[string][]byte)
	last := ""
	for key, value := range a.keys.Prefix(query.Get("prefix")) {
		if key <= after { // no key is empty
			continue
		}
		if limit > 0 && len(all) == limit {
			query.Set("after", last)
			w.Header().Set("X-Next-After", url.QueryEscape(last))
			w.Header().Set("Link", "</v1/kv?"+query.Encode()+`>; rel="next"`)
			break
		}
		if value == nil {
			value = []byte{} // JSON would say null
		}
		all[key], last = value, key
	}
	answer(w, http.StatusOK, all)
}

// parameters returns the query, in which each of the named parameters may be once.
func parameters(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("bad query: %w", err)
	}
	for _, name := range names {
		if len(query[name]) > 1 {
			return nil, fmt.Errorf("%s: given %d times", name, len(query[name]))
		}
	}
	return query, nil
}

// pageLimit returns the largest number of keys that a query asks for, 0 for all.
func pageLimit(query url.Values) (int, error) {
	if !query.Has("limit") {
		return 0, nil
	}
	n, err := strconv.Atoi(query.Get("limit"))
	if err != nil || n < 1 || n > maxPage {
		return 0, fmt.Errorf("limit: want a number from 1 to %d, got %q", maxPage, query.Get("limit"))
	}
	return n, nil
}

type memberJSON struct {
	Name  string `json:"name"`
	Addr  string `json:"addr"`
	State string `json:"state"`
	Self  bool   `json:"self"`
}

func (a *api) members(w http.ResponseWriter, _ *http.Request) {
	list := []memberJSON{}
	for _, m := range a.node.Members() {
		list = append(list, memberJSON{m.Name, m.Addr, m.State.String(), m.Self})
	}
	answer(w, http.StatusOK, list)
}

func (a *api) retire(w http.ResponseWriter, r *http.Request, escaped string) {
	name, err := url.PathUnescape(escaped)
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		fail(w, http.StatusMethodNotAllowed, "use POST")
		return
	case err != nil:
		fail(w, http.StatusBadRequest, "the name is not percent-encoded correctly")
		return
	}
	switch err := a.node.Retire(r.Context(), name); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, gossip.ErrUnknownNode):
		fail(w, http.StatusNotFound, "no such node")
	case errors.Is(err, gossip.ErrAlive):
		fail(w, http.StatusConflict, "the node is alive: end it, or wait until it is taken for failed")
	case errors.Is(err, gossip.ErrClosed):
		fail(w, http.StatusServiceUnavailable, "the daemon is ending")
	default:
		fail(w, http.StatusInternalServerError, err.Error())
	}
}

type statusJSON struct {
	Name   string               `json:"name"`
	Epoch  uint64               `json:"epoch"`
	Clean  bool                 `json:"clean"`
	Vector map[string]uint64    `json:"vector"` // "node/epoch": version
	Spaces map[string]spaceJSON `json:"spaces"`
	Peers  int                  `json:"peers"`

	Collection collectionJSON `json:"collection"`
}

// collectionJSON is about what was deleted.
type collectionJSON struct {
	Oldest    string   `json:"oldest,omitempty"` // since when the oldest tombstone waits
	Stable    string   `json:"stable,omitempty"` // all nodes know all that is older
	Waiting   []string `json:"waiting"`          // who or what keeps tombstones from being collected
	Collected uint64   `json:"collected"`        // updates
	Resets    uint64   `json:"resets"`           // times that this daemon was brought up to date on that
	Repairs   uint64   `json:"repairs"`
	Retired   int      `json:"retired"` // names of which something is over
}

type spaceJSON struct {
	Keys       int    `json:"keys"`
	Bytes      int64  `json:"bytes"` // of keys and values, of deleted keys that are still held, too
	MaxKeys    int    `json:"max_keys,omitempty"`
	MaxBytes   int64  `json:"max_bytes,omitempty"`
	Refused    uint64 `json:"refused,omitempty"` // writes, because of these limits
	Tombstones int    `json:"tombstones"`
	Expired    int    `json:"expired"`            // values that have expired and are still held
	Conflict   string `json:"conflict,omitempty"` // another node takes the space for something else
	Hash       string `json:"hash"`               // SH in hex: equal on nodes that hold the same
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	s := a.node.Status()
	out := statusJSON{
		Name:   s.Self.Node,
		Epoch:  s.Self.Epoch,
		Clean:  s.Clean,
		Vector: make(map[string]uint64, s.Vector.Len()),
		Spaces: make(map[string]spaceJSON),
		Peers:  s.Peers,
		Collection: collectionJSON{
			Oldest: rfc3339(s.Oldest), Stable: rfc3339(s.Stable), Waiting: append([]string{}, s.Waiting...),
			Collected: s.Stats.Collected, Resets: s.Stats.Resets, Repairs: s.Stats.Repairs, Retired: s.Retired,
		},
	}
	for r, v := range s.Vector.All() {
		out.Vector[r.String()] = uint64(v)
	}
	for _, sp := range s.Spaces {
		if sp.Space != space { // relayed for others, or internal
			continue
		}
		hash := sp.Hash.Bytes()
		out.Spaces[sp.Space] = spaceJSON{
			Keys: a.keys.Len(), Bytes: sp.Bytes, MaxKeys: sp.Limits.MaxKeys, MaxBytes: sp.Limits.MaxBytes, Refused: sp.Refused,
			Tombstones: sp.Tombstones, Expired: sp.Expired, Conflict: sp.Conflict, Hash: hex.EncodeToString(hash[:]),
		}
	}
	answer(w, http.StatusOK, out)
}

// rfc3339 is a time as JSON has it here; "" for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok")
}

func tooLarge(w http.ResponseWriter) {
	fail(w, http.StatusRequestEntityTooLarge, "a value has at most 524288 bytes")
}

func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // all that can fail is the client
}
