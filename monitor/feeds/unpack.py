"""Compressed bodies, unpacked piece by piece with a bound, so that a bomb stops while it is still small. Pure."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPTED = "gzip, deflate, br, zstd"
"""For Accept-Encoding (RFC 9110, 12.5.3)."""
_PIECE = 256 * 1024
_MEMBER = b"\x1f\x8b"
_ZSTD_OPTIONS = {int(zstd.DecompressionParameter.window_log_max): 23}
"""A window of 8 MiB at most (RFC 9659, 3): the default would let a few bytes ask for 128 MiB."""


class PackedError(ValueError):
    """A body that cannot be unpacked."""


class Unpacker(Protocol):
    """Takes a body in pieces."""

    def __call__(self, data: bytes, room: int) -> bytes:
        """Return at most about `room` bytes of what `data` unpacks to; more than `room` means: too much.

        Raises:
            PackedError: it is not what it says that it is.
        """

    def end(self) -> None:
        """Raise PackedError when the body broke off."""


def unpacker(encoding: str) -> Unpacker:
    """Return what unpacks a Content-Encoding.

    Raises:
        PackedError: it is not one that we asked for.
    """
    name = encoding.strip().lower()
    if name not in _MAKERS:
        raise PackedError(f"compressed in a way that was not asked for ({encoding[:40]})")
    return _MAKERS[name]()


class _Plain:
    def __call__(self, data: bytes, room: int) -> bytes:
        return data

    def end(self) -> None:
        """A plain body's length is HTTP's affair."""


class _Zlib:
    """gzip (of one or several members) and deflate, with and without zlib's header."""

    def __init__(self, bits: int) -> None:
        self._bits, self._raw = bits, bits < 0
        self._inflate = zlib.decompressobj(bits)
        self._begun = False
        self._held = b""

    def __call__(self, data: bytes, room: int) -> bytes:
        if not self._begun and data and self._bits == zlib.MAX_WBITS and not _has_zlib_header(data):
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # as some servers understand deflate
        self._begun = self._begun or bool(data)
        data, self._held = self._held + data, b""
        out, full = [], False
        while (data or full) and room >= 0:
            if self._inflate.eof:
                if data == _MEMBER[:1]:
                    self._held = data  # perhaps a member whose first two bytes came apart
                if not data.startswith(_MEMBER):
                    break  # padding after the end
                self._inflate = zlib.decompressobj(self._bits)
            most = max(1, min(room + 1, _PIECE))
            try:
                part = self._inflate.decompress(data, most)
            except zlib.error as e:
                raise PackedError(str(e)) from e
            out.append(part)
            room -= len(part)
            full = len(part) == most  # then zlib may hold back more, with all data consumed
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
        return b"".join(out)

    def end(self) -> None:
        if self._begun and not self._inflate.eof:
            raise PackedError("it broke off")


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self._begun = False

    def __call__(self, data: bytes, room: int) -> bytes:
        self._begun = self._begun or bool(data)
        out, full = [], False
        try:
            while room >= 0 and (data or full or not self._decoder.can_accept_more_data()):
                most = max(1, min(room + 1, _PIECE))
                part = self._decoder.process(data, output_buffer_limit=most)
                data, full = b"", len(part) >= most  # then more may be held back, with all data consumed
                out.append(part)
                room -= len(part)
                if self._decoder.is_finished():
                    break
        except brotli.error as e:
            raise PackedError(str(e)) from e
        return b"".join(out)

    def end(self) -> None:
        if self._begun and not self._decoder.is_finished():
            raise PackedError("it broke off")


_MOST_FRAMES = 256


class _Zstd:
    """Of one or several frames; thousands of empty ones are no document."""

    def __init__(self) -> None:
        self._decoder = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
        self._begun, self._frames = False, 1

    def __call__(self, data: bytes, room: int) -> bytes:
        self._begun = self._begun or bool(data)
        out = []
        while room >= 0:
            if self._decoder.eof:
                data = self._decoder.unused_data + data
                if not data:
                    break
                self._frames += 1
                if self._frames > _MOST_FRAMES:
                    raise PackedError("it is cut into too many frames")
                self._decoder = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
            elif not data and self._decoder.needs_input:
                break
            try:
                part = self._decoder.decompress(data, max(1, min(room + 1, _PIECE)))
            except zstd.ZstdError as e:
                raise PackedError(str(e)) from e
            data = b""
            out.append(part)
            room -= len(part)
        return b"".join(out)

    def end(self) -> None:
        if self._begun and not self._decoder.eof:
            raise PackedError("it broke off")


_MAKERS: dict[str, Callable[[], Unpacker]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}
