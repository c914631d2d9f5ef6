"""SOGo's lists of contacts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.dav.scripted import CONTACTS, Scripted, card
from xdmigrate.errors import ItemRefused
from xdmigrate.formats import vcard
from xdmigrate.formats.refusal import Unreadable
from xdmigrate_dav import vlists
from xdmigrate_dav.auditor import DavAuditor
from xdmigrate_dav.source import DavSource

LIST = (
    b"BEGIN:VLIST\r\nUID:team.vlf\r\nVERSION:1.0\r\nFN:Team \\, new\r\nDESCRIPTION:all of us\r\n"
    b'CARD;FN="Ann: x";EMAIL=ann@x.example:one.vcf\r\nCARD;EMAIL=bob@x.exam\r\n ple:two.vcf\r\n'
    b"CARD;EMAIL=eve@x.example:gone.vcf\r\nCARD:team.vlf\r\nEND:VLIST"
)


def test_a_list_is_a_group_of_the_same_cards() -> None:
    server = Scripted(contacts=True)
    server.items = {"one.vcf": card("uid-1"), "two.vcf": card("uid-2", "Bob"), "team.vlf": LIST}
    source, auditor = DavSource(server.session()), DavAuditor(server.session())
    read = {each.head.ref: each.body.spool().read() for each in source.read(CONTACTS, [b"one.vcf", b"team.vlf"])}
    assert dict(auditor.whole(CONTACTS, list(read))) == read
    found = vcard.outline(read[b"team.vlf"])
    assert (found.uid, found.kind, found.formatted_name) == ("team.vlf", "group", "Team , new")
    assert found.members == ("uid-1", "uid-2", "mailto:eve@x.example")
    assert b"NOTE:all of us" in read[b"team.vlf"]
    assert vcard.storable(read[b"team.vlf"], b"seed")
    assert vcard.outline(vcard.converted(read[b"team.vlf"], "3.0")).members == found.members


def test_a_list_without_an_end_of_its_lines_is_refused_by_itself() -> None:
    server = Scripted(contacts=True)
    server.items = {"bad.vlf": b"BEGIN:VLIST\r\nCARD;EMAIL=" + b"x" * 200_000 + b":one.vcf", "one.vcf": card("uid-1")}
    bad, one = DavSource(server.session()).read(CONTACTS, [b"bad.vlf", b"one.vcf"])
    with pytest.raises(ItemRefused) as told:
        bad.body.spool()
    assert told.value.reason == "unreadable"
    assert one.body.spool().read() == card("uid-1")


@given(st.binary(max_size=200))
def test_nothing_but_unreadable_is_raised(more: bytes) -> None:
    data = b"begin:vlist\r\n" + more
    assert vlists.is_list(data)
    try:
        refs = vlists.cards(data)
        group = vlists.as_group(data, dict.fromkeys(refs, "uid"))
    except Unreadable:
        return
    assert group.startswith(b"BEGIN:VCARD\r\n")
    assert group.endswith(b"END:VCARD\r\n")
