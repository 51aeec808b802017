package gossip

import (
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

func TestConfigValidate(t *testing.T) {
	endpoint, err := memnet.New(memnet.Config{}).Join("a")
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close(t.Context())
	tests := []struct {
		field  string // that the error names; empty: no error
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"", func(c *Config) { c.Transport = endpoint }},
		{"", func(c *Config) { c.Interval = 5 * time.Millisecond }},
		{"", func(c *Config) { c.Name = strings.Repeat("n", 128) }},
		{"", func(c *Config) { c.Key = make([]byte, 24) }},
		{"", func(c *Config) { c.Join = []string{"seed:7946", "seed"} }},
		{"Name", func(c *Config) { c.Name = "" }},
		{"Name", func(c *Config) { c.Name = strings.Repeat("n", 129) }},
		{"Name", func(c *Config) { c.Name = "\xff" }},
		{"Cluster", func(c *Config) { c.Cluster = strings.Repeat("c", 129) }},
		{"Key", func(c *Config) { c.Key = make([]byte, 17) }},
		{"CompressAbove", func(c *Config) { c.CompressAbove = -1 }},
		{"Interval", func(c *Config) { c.Interval = -1 }},
		{"MinInterval", func(c *Config) { c.MinInterval = -1 }},
		{"MinInterval", func(c *Config) { c.MinInterval = 2 * time.Second }},
		{"MaxInterval", func(c *Config) { c.MaxInterval = time.Millisecond }},
		{"Budget", func(c *Config) { c.Budget = -1 }},
		{"MaxUpdate", func(c *Config) { c.MaxUpdate = -1 }},
		{"MaxUpdate", func(c *Config) { c.MaxUpdate = 16 << 20 }},
		{"MaxDatagram", func(c *Config) { c.MaxDatagram = 100 }},
		{"MaxDatagram", func(c *Config) { c.MaxDatagram = 65_000 }},
		{"Flow", func(c *Config) { c.Flow = 3 }},
		{"RemoveAfter", func(c *Config) { c.RemoveAfter = -1 }},
		{"Bind", func(c *Config) { c.Bind = "localhost" }},
		{"Advertise", func(c *Config) { c.Advertise = "localhost" }},
		{"Join", func(c *Config) { c.Join = []string{"seed:7946", ""} }},
		{"Bind", func(c *Config) { c.Transport, c.Bind = endpoint, "127.0.0.1:0" }},
		{"Advertise", func(c *Config) { c.Transport, c.Advertise = endpoint, "127.0.0.1:1" }},
		{"Join", func(c *Config) { c.Transport, c.Join = endpoint, []string{"seed"} }},
		{"Key", func(c *Config) { c.Transport, c.Key = endpoint, make([]byte, 16) }},
		{"CompressAbove", func(c *Config) { c.Transport, c.CompressAbove = endpoint, 1000 }},
	}
	for i, tt := range tests {
		c := Config{Name: "a"}
		tt.change(&c)
		err := c.Validate()
		if tt.field == "" {
			if err != nil {
				t.Errorf("%d: %v, want no error", i, err)
			}
			continue
		}
		if want := "gossip: Config." + tt.field + ": "; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d: %v, want %q", i, err, want)
		}
		if n, err := Start(t.Context(), c); err == nil || n != nil {
			t.Errorf("%d: started with a bad %s", i, tt.field)
		}
	}
}
