package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientOf returns the address of the client: that of the connection, or what trusted proxies say of it in X-Forwarded-For. It is
// invalid if the connection has no address.
func clientOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer := addrOf(r.RemoteAddr)
	if !trusted(peer, proxies) {
		return peer
	}
	// The nearest proxy wrote the last entry. What stands before the first entry of a stranger is the stranger's word.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop := addrOf(strings.TrimSpace(hop))
		if !hop.IsValid() {
			break
		}
		if peer = hop; !trusted(peer, proxies) {
			break
		}
	}
	return peer
}

func trusted(a netip.Addr, proxies []netip.Prefix) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addrOf reads an address with or without a port.
func addrOf(text string) netip.Addr {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// forwarded reports whether a proxy says that it stands before the service.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}
