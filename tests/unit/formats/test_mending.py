"""Repairs: what is altered, what stays, and that the message says the same before and after."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.policy import SMTP
from io import BytesIO
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.conftest import FULL
from tests.data import corpus
from xdmigrate.formats.fields import LINE_OCTETS, Fault
from xdmigrate.formats.meaning import difference, meaning
from xdmigrate.formats.mending import Unmendable, mend
from xdmigrate.formats.mime import DEPTH, parts

PLAIN = b"From: a@example.test\r\nSubject: plain\r\n\r\nbody\r\n"


def mended(data: bytes) -> tuple[bytes, set[Fault]]:
    out = BytesIO()
    found = mend(BytesIO(data), out)
    return out.getvalue(), found


def lines(data: bytes) -> list[bytes]:
    return re.split(rb"\r\n", data)


def same_meaning(before: bytes, after: bytes) -> bool:
    return meaning(BytesIO(before)).digest == meaning(BytesIO(after)).digest


def assert_mended(data: bytes, *faults: Fault) -> bytes:
    after, found = mended(data)
    assert found == set(faults)
    assert same_meaning(data, after)
    assert b"\0" not in after
    assert after.count(b"\r\n") == after.count(b"\r") == after.count(b"\n")
    assert max(map(len, lines(after))) <= LINE_OCTETS
    assert mended(after) == (after, set()), "a repair needs no repair"
    return after


def test_a_message_without_a_fault_stays_as_it_is() -> None:
    assert mended(PLAIN) == (PLAIN, set())


def test_a_subject_in_eight_bits_is_encoded() -> None:
    for charset in ("utf-8", "windows-1252"):
        data = PLAIN.replace(b"plain", "Größe – “ja” und mehr".encode(charset))
        after = assert_mended(data, Fault.EIGHT_BIT)
        assert str(make_header(decode_header(message_from_bytes(after)["Subject"]))) == "Größe – “ja” und mehr"
        assert after.endswith(b"\r\n\r\nbody\r\n")


def test_names_in_addresses_keep_their_addresses() -> None:
    data = PLAIN.replace(b"a@example.test", '"Müller, Jörg" <j@example.test>, Ann Löb (Büro) <a@example.test>'.encode())
    after = assert_mended(data, Fault.EIGHT_BIT)
    told = message_from_bytes(after, policy=SMTP)["From"].addresses
    assert [(each.display_name, each.addr_spec) for each in told] == [
        ("Müller, Jörg", "j@example.test"),
        ("Ann Löb", "a@example.test"),
    ]


def test_a_file_name_becomes_a_parameter_in_utf_8() -> None:
    head = 'Content-Disposition: attachment; filename="Größe 1.pdf"\r\nContent-Type: application/pdf\r\n'
    after = assert_mended(head.encode() + b"\r\nx\r\n", Fault.EIGHT_BIT)
    assert message_from_bytes(after, policy=SMTP).get_filename() == "Größe 1.pdf"


def test_a_long_subject_is_folded_where_it_has_spaces() -> None:
    data = PLAIN.replace(b"plain", b"word " * 500 + b"end")
    after = assert_mended(data, Fault.LONG)
    assert message_from_bytes(after)["Subject"].replace("\r\n", "") == "word " * 500 + "end"


def test_one_long_word_is_encoded_and_references_are_parted() -> None:
    ids = b"".join(b"<%d@example.test>" % number for number in range(200))
    data = PLAIN.replace(b"plain", b"w" * 3000).replace(b"From:", b"References: " + ids + b"\r\nFrom:")
    after = assert_mended(data, Fault.LONG)
    found = message_from_bytes(after)
    assert str(make_header(decode_header(found["Subject"]))) == "w" * 3000
    assert "".join(found["References"].split()).encode() == ids


def test_a_body_with_a_long_line_keeps_its_payload_to_the_octet() -> None:
    body = b"x" * 5000 + b" \r\n.\r\nFrom here\tGr\xc3\xb6\xc3\x9fe =3D\0\r\n"
    after = assert_mended(PLAIN.replace(b"body\r\n", body), Fault.ENCODED)
    assert message_from_bytes(after).get_payload(decode=True) == body
    assert after.startswith(
        b"From: a@example.test\r\nSubject: plain\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    )


def test_bare_line_ends_of_text_become_crlf() -> None:
    after = assert_mended(b"Subject: x\n\none\rtwo\nthree\r\n", Fault.LINE_ENDS)
    assert after == b"Subject: x\r\n\r\none\r\ntwo\r\nthree\r\n"


MIXED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\nSubject: x\r\n\r\npreamble\r\n--b\r\n\r\nfirst %s\r\n'
    b"--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n--b--\r\nepilogue\r\n"
)


def leaf(data: bytes, number: int) -> object:
    found = message_from_bytes(data).get_payload()
    assert isinstance(found, list)
    part = found[number]
    assert isinstance(part, Message)
    return part.get_payload(decode=True)


def test_only_the_faulty_part_is_touched() -> None:
    octets = b"\0\r\n\n\rbinary" + b"y" * 2000
    after = assert_mended(MIXED % (b"", b"binary", octets), Fault.ENCODED)
    assert leaf(after, 1) == octets
    assert (MIXED % (b"", b"?", b"?")).split(b"Content-Transfer")[0] == after.split(b"Content-Transfer")[0]
    assert after.endswith(b"\r\n--b--\r\nepilogue\r\n")


def test_base64_on_one_line_is_wrapped() -> None:
    after = assert_mended(MIXED % (b"", b"base64", b"QUJD" * 500), Fault.ENCODED)
    assert leaf(after, 1) == b"ABC" * 500


def test_a_message_inside_is_repaired_like_its_outside() -> None:
    inner = "Content-Type: message/rfc822\r\n\r\nSubject: Größe\r\n\r\n".encode() + b"z" * 1500 + b"\r\n"
    assert_mended(b"Subject: forward\r\n" + inner, Fault.EIGHT_BIT, Fault.ENCODED)


SIGNED = (
    b'Content-Type: multipart/signed; boundary="s"\r\nSubject: %s\r\n\r\n--s\r\n\r\n%s\r\n'
    b"--s\r\nContent-Type: application/pgp-signature\r\n\r\nsignature\r\n--s--\r\n"
)


def test_a_signature_is_never_broken() -> None:
    outside = SIGNED % ("Größe".encode(), b"signed text")
    after = assert_mended(outside, Fault.EIGHT_BIT)
    assert after.partition(b"\r\n\r\n")[2] == outside.partition(b"\r\n\r\n")[2]
    with pytest.raises(Unmendable, match="signature"):
        mended(SIGNED % (b"x", b"n" * 2000))
    with pytest.raises(Unmendable, match="signature"):
        mended(SIGNED % (b"x", b"a\nb"))


def test_a_header_without_end_is_not_repaired() -> None:
    with pytest.raises(Unmendable, match="header"):
        mended(b"".join(b"X-%d: y\r\n" % number for number in range(60_000)))


def test_nesting_is_bounded() -> None:
    """Deeper multiparts than anybody writes are one leaf; messages in messages are walked in a loop."""
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(3000)
    )
    assert len(list(parts(BytesIO(deep)))) == DEPTH + 1
    inside = b"Content-Type: message/rfc822\r\n\r\n" * 20_000
    assert sum(1 for _part in parts(BytesIO(inside))) == 20_001
    assert mended(deep + b"\nx")[1] == {Fault.LINE_ENDS}


@pytest.mark.parametrize(
    "hostile",
    [
        b"From: " + rb"\"" * 30_000 + b"\xff\r\n\r\n",
        b"From: " + b'"' * 200_000 + b"\xff\r\n\r\n",
        b"Subject: " + b"=?a?q?" * 20_000 + b"\xff\r\n\r\n",
        b"Subject: " + b"=?utf-8?q?x?= " * 18_000 + b"\r\n\r\n",
        b"Content-Type: " + b';a="' * 50_000 + b"\xff\r\n\r\n",
        b"Content-Type: " + b";boundary=" * 25_000 + b"\r\n\r\n",
        b"From: " + b"(" * 200_000 + b"\xff\r\n\r\n",
        b"Date: " + b"1 " * 100_000 + b"\r\n\r\n",
    ],
)
def test_hostile_headers_cost_no_more_than_their_length(hostile: bytes) -> None:
    after, _found = mended(hostile)
    assert same_meaning(hostile, after)


def test_what_differs_is_told() -> None:
    marked = PLAIN.replace(b"From:", b"X-TUID: abc\r\nFrom:")
    assert (
        difference(meaning(BytesIO(PLAIN)), meaning(BytesIO(marked)))
        == "same content, other bytes: header X-Tuid added"
    )
    assert difference(meaning(BytesIO(marked)), meaning(BytesIO(PLAIN))).endswith("header X-Tuid missing")
    assert difference(meaning(BytesIO(PLAIN)), meaning(BytesIO(PLAIN + b"more"))) == "the content differs"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nx", b"Date: 1 Jan 2024 09:00:00 GMT (x)\r\n\r\nx"),
        (b"Subject: =?utf-8?q?a=C3=B6?=\r\n\r\nx", "Subject:  aö\r\n\r\nx".encode()),
        (b"Received: by x\r\nSubject: a\r\n\r\nx\r\n", b"Subject: a\r\n\r\nx"),
        (b"\r\nx\ny\n", b"\r\nx\r\ny"),
    ],
)
def test_the_meaning_ignores_how_it_is_written(one: bytes, other: bytes) -> None:
    assert same_meaning(one, other)


@pytest.mark.parametrize("other", [b"Subject: b\r\n\r\nx", b"Subject: a\r\n\r\ny", b"Subject: a\r\nCc: c@d\r\n\r\nx"])
def test_the_meaning_tells_messages_apart(other: bytes) -> None:
    assert not same_meaning(b"Subject: a\r\n\r\nx", other)


# --- whatever the message ---------------------------------------------------------------------------------------

words = st.sampled_from([
    b"a", b" ", b"\t", "ö".encode(), b"\xf6", b'"', b"\\", b"(", b")", b"<j@x>", b",", b";", b"=?utf-8?q?=C3=B6?=",
    b"=?x?b?!?=", b"\0", b"\r", b"\n", b"\r\n ", b"w" * 600, b" w" * 300, b"name=\"\xc3\xb6\"",
])  # fmt: skip
values = st.lists(words, max_size=12).map(b"".join)
names = st.sampled_from([b"Subject", b"From", b"To", b"Date", b"X-Y", b"References", b"Content-Disposition"])
pieces = st.sampled_from(
    [b"x", b"\0", b"\r", b"\n", b"\r\n", b"=", b"=3D", b"=0", "é".encode(), b"y" * 999, b" ", b"--b", b"QUJD"]
)
bodies = st.lists(pieces, max_size=12).map(b"".join)
encodings = st.sampled_from([b"", b"7bit", b"8bit", b"base64", b"quoted-printable", b"x-uuencode"])
kinds = st.sampled_from([b"", b"text/html", b"application/x", b"message/rfc822", b"multipart/mixed"])


@st.composite
def entities(draw: st.DrawFn, depth: int = 2) -> bytes:
    fields = [name + b": " + value for name, value in draw(st.lists(st.tuples(names, values), max_size=3))]
    kind, encoding = draw(kinds), draw(encodings)
    if encoding:
        fields.append(b"Content-Transfer-Encoding: " + encoding)
    body = draw(bodies)
    if depth and draw(st.booleans()):
        fields.append(b'Content-Type: multipart/mixed; boundary="b%d"' % depth)
        inner = draw(st.lists(entities(depth - 1), max_size=3))
        body += b"".join(b"\r\n--b%d\r\n" % depth + each for each in inner) + b"\r\n--b%d--\r\n" % depth + draw(bodies)
    elif kind:
        fields.append(b"Content-Type: " + kind)
    return b"\r\n".join([*fields, b"", body])


@given(entities())
def test_a_repair_keeps_the_meaning(data: bytes) -> None:
    try:
        after, found = mended(data)
    except Unmendable:
        return
    assert (after == data) is not bool(found)
    assert same_meaning(data, after)
    assert b"\0" not in after


@given(st.binary(max_size=3000))
def test_anything_can_be_walked(data: bytes) -> None:
    try:
        after, _found = mended(data)
    except Unmendable:
        return
    assert b"\0" not in after
    meaning(BytesIO(data))


def test_the_corpus_keeps_its_meaning() -> None:
    root = corpus.root()
    if root is None:
        pytest.skip("no mail corpus")
    files = sorted(path for path in root.rglob("*.eml") if path.stat().st_size < 200_000)[:400]
    assert files
    for path in files:
        data = path.read_bytes()
        try:
            after, _found = mended(data)
        except Unmendable:
            continue
        assert same_meaning(data, after), path.name


def test_memory_is_bounded_whatever_the_message(tmp_path: Path) -> None:
    """A large part of short lines with a fault at its end, one of a single line, and a large binary one."""
    octets = 10**8 if FULL else 10**6
    path, out = tmp_path / "message", tmp_path / "mended"
    with path.open("wb") as file:
        file.write(b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n')
        file.writelines(b"%075d\r\n" % number for number in range(octets // 77))
        file.write(b"\0\r\n--b\r\n\r\n")
        file.writelines(b"x" * 10**6 for _ in range(octets // 10**6))
        file.write(b"\r\n--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n")
        file.writelines(b"\0" * 10**6 for _ in range(octets // 10**6))
        file.write(b"\r\n--b--\r\n")
    tracemalloc.start()
    try:
        with path.open("rb") as file, out.open("w+b") as mended_file:
            assert mend(file, mended_file) == {Fault.ENCODED}
            assert meaning(file) == replace(meaning(mended_file), fields=meaning(file).fields)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 10**6
