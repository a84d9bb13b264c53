"""Which IP addresses are public: no machine of this network, and nothing that another address hides behind.

`ipaddress.is_global` is not asked: it takes multicast, site-local, NAT64 and ISATAP addresses for global ones.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

IPAddress = IPv4Address | IPv6Address

# https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast. Those of services that anybody may run
# for others (AS112, AMT, relays) are globally reachable there; no picture lies on them.
_SPECIAL_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast
    )
)

# All unicast addresses that were ever given out. Outside: unspecified, loopback, IPv4-mapped and IPv4-compatible,
# local-use NAT64, discard-only, segment routing, unique local, link-local, site-local, multicast.
_GIVEN_OUT: Final = IPv6Network("2000::/3")
# https://www.iana.org/assignments/iana-ipv6-special-registry, as far as it lies inside.
_SPECIAL_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, DRIP
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# What a network without IPv4 puts public IPv4 addresses behind (RFC 6052): judged by the address inside.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# The second half of an ISATAP address is this and the IPv4 address of its tunnel (RFC 5214), with the bit that says
# whether that one is globally unique left out.
_ISATAP: Final = 0x00005EFE
_UNIQUE_BIT: Final = 0x02000000
_LOW_32: Final = 0xFFFFFFFF


def is_public(address: IPAddress) -> bool:
    """Return whether an address belongs to the public internet, and an IPv4 address that stands inside it as well.

    6to4, Teredo, IPv4-mapped and IPv4-compatible addresses, and any with a zone, are none, whatever stands inside.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(_last_ipv4(address))
    if address not in _GIVEN_OUT or any(address in network for network in _SPECIAL_IPV6):
        return False
    return not _is_isatap(address) or is_public(_last_ipv4(address))


def _is_isatap(address: IPv6Address) -> bool:
    return (int(address) >> 32) & _LOW_32 & ~_UNIQUE_BIT == _ISATAP


def _last_ipv4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & _LOW_32)
