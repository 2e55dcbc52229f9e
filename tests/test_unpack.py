"""Compressed bodies: whole ones come out whole in whatever pieces, broken ones are told, bombs stop small."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from random import Random

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.unpack import ACCEPTED, PackedError, unpacker

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEADY = settings(derandomize=True, deadline=None, max_examples=60)
MIB = 2**20
ROOM = 10 * MIB
PIECE = 256 * 1024

Pack = Callable[[bytes], bytes]


def raw_deflate(body: bytes) -> bytes:
    """Deflate as some servers understand it: without zlib's header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def halved(pack: Pack) -> Pack:
    """Pack two halves by themselves."""
    return lambda body: pack(body[: len(body) // 2]) + pack(body[len(body) // 2 :])


WAYS: dict[str, tuple[str, Pack]] = {
    "nothing": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP ", gzip.compress),
    "gzip of two members": ("gzip", halved(gzip.compress)),
    "gzip of four members": ("gzip", halved(halved(gzip.compress))),
    "gzip with padding": ("gzip", lambda body: gzip.compress(body) + bytes(1000)),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "br": ("br", lambda body: bytes(brotli.compress(body, quality=4))),
    "zstd": ("zstd", zstd.compress),
    "zstd of two frames": ("zstd", halved(zstd.compress)),
    "zstd of four frames": ("zstd", halved(halved(zstd.compress))),
}
PACKED = [way for way in WAYS if way not in ("nothing", "identity")]


def unpacked(encoding: str, pieces: list[bytes], room: int = ROOM) -> bytes:
    """Return what a body that comes in pieces unpacks to, until it is too much."""
    unpack = unpacker(encoding)
    out = b""
    for piece in pieces:
        out += unpack(piece, room - len(out))
        if len(out) > room:
            return out
    unpack.end()
    return out


def cut_up(body: bytes, size: int) -> list[bytes]:
    """Return a body in pieces of a size."""
    return [body[at : at + size] for at in range(0, len(body), size)]


bodies = st.binary(max_size=3000) | st.builds(
    lambda seed, size, kinds: bytes(Random(seed).choices(range(kinds), k=size)),
    st.integers(0, 99),
    st.integers(0, 60_000),
    st.sampled_from([1, 2, 256]),
)


@pytest.mark.parametrize("way", WAYS)
@STEADY
@given(body=bodies, size=st.integers(1, 50) | st.integers(1000, 70_000))
def test_a_body_comes_out_as_it_went_in(way: str, body: bytes, size: int) -> None:
    """In pieces of any size, of one byte too."""
    encoding, pack = WAYS[way]
    packed = pack(body)
    if len(packed) / size > 3000:
        packed, body = pack(body[:1000]), body[:1000]
    assert unpacked(encoding, cut_up(packed, size)) == body


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 100])
def test_a_body_as_long_as_the_bound_of_one_piece_is_whole(way: str, size: int) -> None:
    """The last bytes are not kept back when the packed ones have run out."""
    encoding, pack = WAYS[way]
    body = b"a" * size
    assert unpacked(encoding, [pack(body)], ROOM) == body
    assert unpacked(encoding, [pack(body)], size) == body, "it fits exactly"


@pytest.mark.parametrize("length", range(PIECE - 20, PIECE + 300))
def test_a_raw_stream_that_ends_anywhere_near_the_bound_is_whole(length: int) -> None:
    """It has no checksum after it, so that nothing is left to read when its last copy is still to be written."""
    assert len(unpacked("deflate", [raw_deflate(bytes(length))])) == length


def test_two_members_may_come_apart_anywhere() -> None:
    """Also between the two bytes by which the second is known."""
    first, second = gzip.compress(b"one "), gzip.compress(b"two")
    both = first + second
    for at in range(len(both)):
        assert unpacked("gzip", [both[:at], both[at:]]) == b"one two", at
    assert unpacked("gzip", [first, second[:1], second[1:]]) == b"one two"


@pytest.mark.parametrize("way", PACKED)
def test_a_body_that_broke_off_is_told(way: str) -> None:
    """Half a feed must not pass for a whole one, wherever it ends."""
    encoding, pack = WAYS[way]
    packed = pack(bytes(Random(1).choices(b"abcdefgh", k=3000))).rstrip(b"\0")
    for end in {1, 2, 5, len(packed) // 4, len(packed) // 3, len(packed) - 9, len(packed) - 1}:
        with pytest.raises(PackedError, match=r".+"):
            unpacked(encoding, [packed[:end]])


@pytest.mark.parametrize("way", PACKED)
def test_nothing_at_all_is_an_empty_body(way: str) -> None:
    """As a server may answer that labels all it sends."""
    assert unpacked(WAYS[way][0], []) == b""
    assert unpacked(WAYS[way][0], [b""]) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize(
    "body",
    [b"<?xml version='1.0'?><rss></rss>" * 9, b"\x1f\x8b" + b"x" * 99, b"\xff" * 999, b"\x78\x9c" + b"\xff" * 99],
)
def test_what_is_not_packed_as_it_says_is_told(encoding: str, body: bytes) -> None:
    """Never an exception of the library's own."""
    with pytest.raises(PackedError, match=r".+"):
        unpacked(encoding, [body])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@STEADY
@given(body=st.binary(max_size=300), size=st.integers(1, 300))
def test_no_bytes_stop_the_worker(encoding: str, body: bytes, size: int) -> None:
    """Whatever comes, it is unpacked or refused."""
    try:
        unpacked(encoding, cut_up(body, size))
    except PackedError:
        return


@pytest.mark.parametrize("way", PACKED)
@STEADY
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_one_wrong_bit_stops_nobody(way: str, at: int, bit: int) -> None:
    """A damaged body is refused, or gives what it gives, within the bound."""
    encoding, pack = WAYS[way]
    packed = bytearray(pack(b"<item>news</item>" * 100))
    packed[at % len(packed)] ^= 1 << bit
    try:
        assert len(unpacked(encoding, [bytes(packed)], 10_000)) <= 10_001
    except PackedError:
        return


# ---------------------------------------------------------------- bombs


def bomb(encoding: str) -> list[bytes]:
    """Return a gibibyte of zeros, packed, in the pieces that the network brings."""
    zeros = bytes(MIB)
    if encoding == "br":
        brotler = brotli.Compressor(quality=5)
        return cut_up(b"".join([*(brotler.process(zeros) for _ in range(1024)), brotler.finish()]), 64 * 1024)
    if encoding == "zstd":
        zipper = zstd.ZstdCompressor()
        return cut_up(b"".join([*(zipper.compress(zeros) for _ in range(1024)), zipper.flush()]), 64 * 1024)
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    return cut_up(b"".join([*(packer.compress(zeros) for _ in range(1024)), packer.flush()]), 64 * 1024)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stops_while_it_is_small(encoding: str) -> None:
    """A gibibyte in a few kilobytes: left as soon as it is more than there is room for."""
    pieces = bomb(encoding)
    assert sum(map(len, pieces)) < 2 * MIB
    room = 4 * MIB
    tracemalloc.start()
    try:
        size = len(unpacked(encoding, pieces, room))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert room < size <= room + PIECE
    assert peak < 4 * room


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_many_small_bombs_are_one_large_one(encoding: str) -> None:
    """Members and frames count together."""
    one = gzip.compress(bytes(MIB)) if encoding == "gzip" else zstd.compress(bytes(MIB))
    assert MIB < len(unpacked(encoding, [one * 100], MIB)) <= MIB + 1


def test_a_frame_that_wants_much_memory_is_refused() -> None:
    """RFC 9659: a window of 8 MiB is what a reader must have, and all that a stranger may ask for."""

    def window(log: int) -> bytes:
        options = {int(zstd.CompressionParameter.window_log): log}
        packer = zstd.ZstdCompressor(options=options)  # no size is known, so that the window is as asked for
        return packer.compress(b"news") + packer.flush()

    for log in (10, 20, 23):
        assert unpacked("zstd", [window(log)]) == b"news"
    for log in (24, 27):
        with pytest.raises(PackedError):
            unpacked("zstd", [window(log)])
        with pytest.raises(PackedError):
            unpacked("zstd", [window(10) + window(log)])


# ---------------------------------------------------------------- what was asked for


@pytest.mark.parametrize("encoding", ["compress", "lzma", "gzip, br", "dcb", "gzip;q=1", "x" * 500])
def test_another_encoding_is_refused_in_words(encoding: str) -> None:
    """It was not asked for; the words stay short."""
    with pytest.raises(PackedError, match="not asked for") as refusal:
        unpacker(encoding)
    assert len(str(refusal.value)) < 120


def test_all_that_is_asked_for_is_understood() -> None:
    """In small letters and in capitals."""
    for name in ACCEPTED.split(","):
        unpacker(name).end()
        unpacker(name.upper()).end()
