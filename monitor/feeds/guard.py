"""Which addresses may be asked: those of the public internet, and those that the user allows. Pure.

A feed, or a server that one redirects to, must not be able to make this worker ask the machines behind its firewall
(server-side request forgery, CWE-918). What is judged is the address that will be connected to, after the name was
looked up: names, decimal and octal forms, and names that change their address all come down to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_METADATA = frozenset({"168.63.129.16"})
"""Services of a cloud that have a public address; all others are link-local or private."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SPECIAL: tuple[Network, ...] = (IPv4Network("192.0.0.0/24"), IPv6Network("3fff::/20"))
"""What `ipaddress` of some Python versions takes for public: IETF protocol assignments (a cloud keeps its metadata
there) and documentation."""
# Of the prefix for local use only the plain form: in longer ones the IPv4 address stands elsewhere (RFC 6052, 2.2).
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96"))


class Guard:
    """The addresses that may be asked, with those that the user allows: hosts, addresses and networks."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        """Read the list; raise ValueError for an entry that is neither a network nor the name of a host."""
        self._networks: list[Network] = []
        self._names: set[str] = set()
        for entry in allow:
            network = as_network(entry)
            if network is None:
                self._names.add(entry.lower().rstrip("."))
            else:
                self._networks.append(network)

    def allows_name(self, host: str) -> bool:
        """Tell whether a host may be asked wherever its name leads."""
        return host.lower().rstrip(".") in self._names

    def allows(self, address: str) -> bool:
        """Tell whether an address (textual, of either family) may be connected to; false for what is no address."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        inner = unwrapped(found)
        return is_public(inner) or any(one in network for network in self._networks for one in (found, inner))

    def is_own(self, host: str) -> bool:
        """Tell whether a host, as written in an address, is one of the user's own."""
        try:
            address = ip_address(host)
        except ValueError:
            return self.allows_name(host)
        return any(address in network for network in self._networks)


def as_network(entry: str) -> Network | None:
    """Read `10.0.0.0/8`, `192.168.1.5` or `fd00::/8`; None for the name of a host.

    Raises:
        ValueError: it looks like an address or a network and is none.
    """
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        if "/" in entry or ":" in entry or entry.replace(".", "").isdigit():
            raise
        return None


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet (IANA's special-purpose registries)."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False  # site-local addresses and what is not given out yet
    special = any(address in network for network in _SPECIAL) or str(address) in _METADATA
    return address.is_global and not address.is_multicast and not special


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for: mapped, compatible, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    embedded = any(address in network for network in _NAT64) or int(address) >> 32 == 0
    return IPv4Address(int(address) & 0xFFFFFFFF) if embedded and int(address) > 1 else address
