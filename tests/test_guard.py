"""Which addresses may be asked: the public internet and what the user names, in whatever form an address comes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.feeds.guard import Guard, as_network, is_public, unwrapped

STEADY = settings(derandomize=True, deadline=None, max_examples=500)
GUARD = Guard()

REFUSED = [
    # of this machine
    "127.0.0.1", "127.1.2.3", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::", "::1",
    # of this network
    "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1",
    "100.127.255.255", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fdff:ffff::1",
    # metadata of clouds
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
    # many at once
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1",
    # set aside
    "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "240.0.0.1",
    "254.255.255.255", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1", "2001:2::1",
    # IPv4 in IPv6
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::ffff:168.63.129.16", "::127.0.0.1",
    "::10.0.0.1", "::ffff:0:127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1", "64:ff9b:1:a00:0:100:808:808", "2001:0:808:808:0:0:80ff:fffe",
]  # fmt: skip

ALLOWED = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
    "172.15.255.255", "172.32.0.1", "168.63.129.17", "192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255",
    "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "240e::1", "2400:3200::1", "::ffff:8.8.8.8",
    "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """No feed can make the worker ask what stands behind the firewall, however it writes the address."""
    assert GUARD.allows(address) is False


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_is_asked(address: str) -> None:
    """Also right beside the ranges that are refused, and where it stands in an address of the other family."""
    assert GUARD.allows(address) is True


@pytest.mark.parametrize(
    "nonsense",
    ["", " ", "example.com", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "010.0.0.1", "127.1", "8.8.8",
     "8.8.8.8 ", "8.8.8.8/32", "[::1]", ":::", "8.8.8.8:80", "%eth0", "١.١.١.١"],
)  # fmt: skip
def test_what_is_no_address_is_refused(nonsense: str) -> None:
    """The guard judges what is connected to; anything else must not slip through as a name."""
    assert GUARD.allows(nonsense) is False


def other_forms(inner: IPv4Address) -> list[str]:
    """Return an IPv4 address as IPv6 can carry it: mapped, compatible, 6to4, NAT64 (both prefixes), Teredo."""
    number = int(inner)
    return [
        str(IPv6Address(form))
        for form in (
            0xFFFF << 32 | number,
            number,
            0x2002 << 112 | number << 80 | 1,
            0x64FF9B << 96 | number,
            0x64FF9B0001 << 80 | number,
            0x20010000 << 96 | 0x08080808 << 64 | number ^ 0xFFFFFFFF,
        )
    ]


@STEADY
@given(st.ip_addresses(v=4))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("255.255.255.255"))
def test_what_is_set_aside_is_refused_in_every_form(address: IPv4Address) -> None:
    """Plain, mapped, compatible, 6to4, NAT64 and Teredo."""
    set_aside = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    forms = [str(address), *other_forms(address)]
    if set_aside:
        assert [form for form in forms if GUARD.allows(form)] == []
    else:  # and what is not, is treated alike whatever its dress
        assert len({GUARD.allows(form) for form in forms}) == 1


@STEADY
@given(st.ip_addresses(v=6))
def test_what_is_set_aside_of_ipv6_is_refused(address: IPv6Address) -> None:
    """Whatever the library calls private, local, multicast, reserved or unspecified."""
    assume(isinstance(unwrapped(address), IPv6Address))
    if (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_site_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    ):
        assert not GUARD.allows(str(address))
    assert GUARD.allows(str(address)) == is_public(address)


# ---------------------------------------------------------------- what the user allows


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("10.0.0.5", ["10.0.0.5", "::ffff:10.0.0.5"], ["10.0.0.4", "10.0.0.6", "::ffff:10.0.0.6", "127.0.0.1"]),
        ("192.168.0.0/16", ["192.168.0.1", "192.168.255.255", "::ffff:192.168.1.1"], ["192.169.0.1/1", "10.0.0.1"]),
        ("192.168.1.7/16", ["192.168.200.1"], ["172.16.0.1"]),
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.2", "::1"]),
        ("::1", ["::1"], ["127.0.0.1", "::2"]),
        ("fd00::/8", ["fd00::1", "fdff::1"], ["fc00::1", "10.0.0.1"]),
        ("fd12:3456::7", ["fd12:3456::7"], ["fd12:3456::8"]),
        ("fe80::/10", ["fe80::1", "fe80::1%eth0"], ["fec0::1"]),
        ("64:ff9b:1:fff1::/96", ["64:ff9b:1:fff1::808:808"], ["64:ff9b:1:fff2::808:808"]),
        ("rsshub", [], ["10.0.0.5", "127.0.0.1"]),
    ],
)
def test_an_own_address_or_network_may_be_asked(entry: str, allowed: list[str], refused: list[str]) -> None:
    """What is named and no more, in each dress of it; public addresses as before."""
    guard = Guard([entry])
    assert [address for address in allowed if not guard.allows(address)] == []
    assert [address for address in refused if guard.allows(address)] == []
    assert guard.allows("8.8.8.8")


def test_an_own_host_is_known_by_its_name() -> None:
    """In capitals and with the dot of the root too; no host below or beside it."""
    guard = Guard(["RSSHub.local.", "10.0.0.0/8"])
    assert [n for n in ("rsshub.local", "RSSHUB.LOCAL", "rsshub.local.") if not guard.allows_name(n)] == []
    assert [n for n in ("a.rsshub.local", "rsshub.local.evil.example", "hub", "") if guard.allows_name(n)] == []


def test_an_own_host_is_told_from_others() -> None:
    """By name or by number: those need not be spared."""
    guard = Guard(["rsshub.local", "10.0.0.0/8", "fd00::/8"])
    assert [h for h in ("rsshub.local", "10.1.2.3", "fd00::1") if not guard.is_own(h)] == []
    assert [h for h in ("example.com", "8.8.8.8", "11.0.0.1", "2606::1", "") if guard.is_own(h)] == []


def test_without_a_list_nothing_is_ones_own() -> None:
    """The default."""
    assert not GUARD.is_own("example.com")
    assert not GUARD.is_own("127.0.0.1")
    assert not GUARD.allows_name("localhost")


@pytest.mark.parametrize("name", ["rsshub", "rsshub.local", "my-host", "a.b.c", "xn--r8jz45g.jp", "localhost"])
def test_a_name_is_no_network(name: str) -> None:
    """It is looked up instead."""
    assert as_network(name) is None


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "10.0.0.256", "1.2.3", "10", "300.1.1.1/8", "fd00::/129", ":::", "host:80", "http://a.b/"]
)
def test_what_looks_like_an_address_and_is_none_is_a_fault(entry: str) -> None:
    """A slip must not silently become the name of a host that nobody has."""
    with pytest.raises(ValueError, match=r".+"):
        as_network(entry)
    with pytest.raises(ValueError, match=r".+"):
        Guard([entry])
