package swim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// resolve returns all addresses of a host:port, or of a host, with that port.
func resolve(ctx context.Context, hostport, defaultPort string) ([]netip.AddrPort, error) {
	host, portName := portOf(hostport, defaultPort)
	port, err := strconv.ParseUint(portName, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port of %q: %w", hostport, err)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for _, ip := range ips {
		list = append(list, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return list, nil
}

// resolveOne returns the address to bind to: the unspecified one for no host.
func resolveOne(ctx context.Context, hostport string) (netip.AddrPort, error) {
	host, portName, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		port, err := strconv.ParseUint(portName, 10, 16)
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), err // both families, where there are two
	}
	list, err := resolve(ctx, hostport, "0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, a := range list { // a name of both families: prefer the one that others have too
		if a.Addr().Is4() {
			return a, nil
		}
	}
	return list[0], nil
}

// advertised returns the address that others use for a socket bound to bound.
func advertised(ctx context.Context, advertise string, bound netip.AddrPort) (netip.AddrPort, error) {
	if advertise != "" {
		host, port := portOf(advertise, strconv.Itoa(int(bound.Port())))
		if host != "" {
			a, err := resolveOne(ctx, net.JoinHostPort(host, port))
			if err != nil {
				return a, fmt.Errorf("swim: Advertise: %w", err)
			}
			if !a.Addr().IsValid() || a.Addr().IsUnspecified() {
				return a, fmt.Errorf("swim: Advertise: others cannot use %s", a)
			}
			return a, nil
		}
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			bound = netip.AddrPortFrom(bound.Addr(), uint16(n))
		}
	}
	if ip := bound.Addr().Unmap(); !ip.IsUnspecified() {
		return netip.AddrPortFrom(ip, bound.Port()), nil
	}
	ip, err := routeAddr()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("swim: Advertise is needed: %w", err)
	}
	return netip.AddrPortFrom(ip, bound.Port()), nil
}

// routeAddr returns this host's address on the default route, else any that is
// not loopback. Connecting a UDP socket sends nothing.
func routeAddr() (netip.Addr, error) {
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		if a := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); !a.IsLoopback() {
			return a.Unmap(), nil
		}
	}
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, i := range ifs {
		if p, err := netip.ParsePrefix(i.String()); err == nil {
			if a := p.Addr().Unmap(); a.IsGlobalUnicast() {
				return a, nil
			}
		}
	}
	return netip.Addr{}, errors.New("this host has no address that others can use")
}
