"""Answers that unpack to more than anybody can hold, and what is sent in the place of an answer."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.dav.scripted import client_of
from xdmigrate.errors import ProtocolError
from xdmigrate_dav.unpacking import PIECE, BadPacking, unpacked
from xdmigrate_dav.wire import TooLong


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(st.binary(max_size=5000), st.integers(1, 300), st.sampled_from(["gzip", "X-GZIP ", "identity", ""]))
def test_what_was_packed_comes_back(data: bytes, size: int, coding: str) -> None:
    sent = gzip.compress(data) if "gzip" in coding.lower() else data
    assert b"".join(unpacked(pieces(sent, size), coding)) == data


def test_nothing_is_ever_unpacked_at_once() -> None:
    sent = gzip.compress(b"0" * (50 * PIECE))
    assert len(sent) < PIECE
    assert {len(each) for each in unpacked([sent], "gzip")} == {PIECE}


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate", "gzip;x"])
def test_only_what_was_asked_for_is_unpacked(coding: str) -> None:
    """Of two packings one upon the other, 3 kB made 2 GB."""
    with pytest.raises(BadPacking, match="not asked for"):
        list(unpacked([b"x"], coding))


@pytest.mark.parametrize("damaged", [gzip.compress(b"abc", mtime=0)[:-3], b"no gzip at all", zlib.compress(b"abc")])
def test_what_is_damaged_is_no_answer(damaged: bytes) -> None:
    with pytest.raises(BadPacking):
        list(unpacked([damaged], "gzip"))
    client = client_of(lambda _request: httpx.Response(200, stream=httpx.ByteStream(damaged), headers=PACKED))
    with pytest.raises(ProtocolError):
        client.request("GET", "/")


PACKED = {"content-encoding": "gzip"}


def test_an_answer_that_unpacks_without_an_end_is_left() -> None:
    """Whatever was asked: also the answer to a write, which nobody expects to be long."""
    bomb = gzip.compress(b"0" * (65 << 20), 1)
    client = client_of(lambda _request: httpx.Response(201, content=bomb, headers=PACKED))
    with pytest.raises(TooLong) as told:
        client.request("PUT", "/a.ics", body=b"x")
    assert isinstance(told.value, ProtocolError)


def test_what_comes_with_a_challenge_has_an_end_too() -> None:
    """The library read it whole, before anything could be counted."""
    read = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal read
            for _ in range(1000):
                read += 1
                yield bytes(1000)

    challenge = {"www-authenticate": 'Basic realm="x"'}
    client = client_of(lambda _request: httpx.Response(401, stream=Endless(), headers=challenge))
    with pytest.raises(TooLong):
        client.request("GET", "/", longest=5000)
    assert read == 6
