"""Line ends and quoting: whatever the bytes, and however they are cut, the way back is exact."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_files.lines import LONGEST_RUN, Measure, as_crlf, as_lf, quoted, unquoted, unquoted_once

PIECES = st.sampled_from(
    [b"From ", b"From", b">", b">>", b">From ", b"\n", b"\r\n", b"\r", b"F", b"ro", b"m ", b"x", b"\0\xff", b" "]
)
MAIL = st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=60)
CUTS = st.lists(st.integers(1, 7), max_size=40)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(MAIL, CUTS, CUTS)
def test_quoting_comes_back(data: bytes, there: list[int], back: list[int]) -> None:
    stored = b"".join(quoted(cut(data, there)))
    assert not re.search(rb"(?m)^From ", stored)
    assert b"".join(unquoted(cut(stored, back))) == data


@given(MAIL, CUTS)
def test_cuts_do_not_matter(data: bytes, sizes: list[int]) -> None:
    assert b"".join(quoted(cut(data, sizes))) == re.sub(rb"(?m)^(>*From )", rb">\1", data)
    assert b"".join(unquoted(cut(data, sizes))) == re.sub(rb"(?m)^>(>*From )", rb"\1", data)
    assert b"".join(unquoted_once(cut(data, sizes))) == re.sub(rb"(?m)^>From ", rb"From ", data)
    assert b"".join(as_crlf(cut(data, sizes))) == re.sub(rb"(?<!\r)\n", b"\r\n", data)


@given(MAIL, CUTS)
def test_lf_stands_for_crlf_only_where_it_comes_back(data: bytes, sizes: list[int]) -> None:
    measure = Measure()
    for block in cut(data, sizes):
        measure.add(block)
    stored = b"".join(as_lf(cut(data, sizes))) if measure.plain else data
    read = Measure()
    read.add(stored)
    assert measure.size == len(data)
    assert b"".join(as_crlf([stored]) if read.unix else [stored]) == data or measure.unix
    assert measure.plain == (b"\n" not in data.replace(b"\r\n", b"") and b"\r\r\n" not in data)
    assert read.as_read == len(b"".join(as_crlf([stored]))) or not read.unix


def test_endless_runs_are_not_held() -> None:
    """A line of nothing but ">" is no reason to hold all of it."""
    run = b">" * (3 * LONGEST_RUN + 17)
    blocks = [run[start : start + 1000] for start in range(0, len(run), 1000)] + [b"From x\n"]
    longest = 0

    def noted(parts: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal longest
        for part in parts:
            longest = max(longest, len(part))
            yield part

    stored = b"".join(noted(quoted(blocks)))
    assert stored == b">" + run + b"From x\n"
    assert longest <= LONGEST_RUN + 2000
    assert b"".join(unquoted(blocks)) == run[1:] + b"From x\n"
    assert b"".join(unquoted_once(blocks)) == run + b"From x\n"
