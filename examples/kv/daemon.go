package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// How long things may take.
const (
	startTimeout = 10 * time.Second // one attempt to join
	drainTimeout = 2 * time.Second  // requests under way when the daemon ends
	leaveTimeout = 3 * time.Second  // handing over the newest updates and saying goodbye
)

// space is the space that holds the keys.
const space = "kv"

// daemon is a gossip node with an HTTP server in front of it.
type daemon struct {
	node   *gossip.Node
	listen net.Listener
	server *http.Server
	log    *slog.Logger
}

// start opens both ports and joins. The HTTP port comes first: a daemon that
// cannot serve does not bother the cluster.
func start(ctx context.Context, o options, logs io.Writer) (*daemon, error) {
	log := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: o.level}))
	listen, err := net.Listen("tcp", o.http)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	node, err := gossip.Start(ctx, gossip.Config{
		Name:           o.name,
		Cluster:        o.cluster,
		Bind:           o.bind,
		Advertise:      o.advertise,
		Join:           o.join,
		Key:            o.key,
		Flow:           o.flow,
		RemoveAfter:    o.remove,
		ReportInterval: o.report,
		Logger:         log,
		Metrics:        registry,
	})
	if err != nil {
		listen.Close()
		return nil, err
	}
	keys := new(model.Map[[]byte])
	if err := node.AttachWith(space, keys, gossip.SpaceConfig{MaxKeys: o.maxKeys, MaxBytes: o.maxBytes}); err != nil {
		listen.Close()
		return nil, cmp.Or(err, node.Close())
	}
	api := newAPI(node, keys, registry, o.heartbeat)
	d := &daemon{
		node:   node,
		listen: listen,
		log:    log,
		server: &http.Server{
			Handler:           api,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      60 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
	}
	d.server.RegisterOnShutdown(api.end) // streams would keep it from ending
	return d, nil
}

func (d *daemon) gossipAddr() string { return d.node.Status().Addr }

func (d *daemon) httpAddr() string { return d.listen.Addr().String() }

// serve answers requests until ctx is done, then ends in order: requests under
// way first, so that Leave hands over what they wrote. An error says why the
// daemon cannot go on.
func (d *daemon) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- d.server.Serve(d.listen) }()
	select {
	case err := <-failed:
		return cmp.Or(fmt.Errorf("http: %w", err), d.node.Close())
	case <-d.node.Done(): // by itself: it turned out that its name is taken, say
		return cmp.Or(d.node.Err(), d.server.Close())
	case <-ctx.Done():
	}
	d.log.Info("leaving", "name", d.node.Status().Self.Node)

	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := d.server.Shutdown(drain); err != nil {
		d.log.Warn("requests were cut off", "err", err)
		_ = d.server.Close() // closes the listener again
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		d.log.Warn("http ended early", "err", err)
	}

	leave, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := d.node.Leave(leave); err != nil && !errors.Is(err, gossip.ErrClosed) {
		d.log.Warn("left without a goodbye", "err", err)
	}
	return nil
}
