"""What only SOGo does, seen at a real one: without these, the scripted ones would prove nothing."""

from __future__ import annotations

import httpx
import pytest

from tests.connectors.dav.scripted import card, event
from tests.live.dav.test_servers import Place, write
from xdmigrate.contract import CHANGED_THERE, UID_TAKEN, Refused, Stored
from xdmigrate.formats import vcard
from xdmigrate.model import Folder, Kind
from xdmigrate_dav import connector
from xdmigrate_dav.hrefs import path_to
from xdmigrate_dav.preparing import own_name

pytestmark = [pytest.mark.live, pytest.mark.full]


def beside(place: Place, method: str, folder: Folder, name: bytes, data: bytes = b"", **headers: str) -> httpx.Response:
    """A request of another program."""
    endpoint, login = place
    url = httpx.URL(str(endpoint.settings["url"])).join(path_to(name, folder.native))
    told = {"content-type": "text/x-vlist" if name.endswith(b".vlf") else "text/calendar", **headers}
    return httpx.request(method, url, content=data, headers=told, auth=(login.user, login.password))


def test_conditions_that_it_does_not_keep(at_sogo: Place) -> None:
    target = connector.target(*at_sogo)
    folder = target.create_folder(("Conditions",), Kind.CALENDAR)
    (one,) = write(target, folder, [event("one")])
    assert isinstance(one, Stored)
    (head,) = target.heads(folder)
    overwritten = beside(at_sogo, "PUT", folder, one.ref, event("one", "Another"), **{"if-none-match": "*"})
    assert overwritten.status_code == 204
    (taken,) = write(target, folder, [event("one")])  # we look before we write
    assert isinstance(taken, Refused)
    assert taken.reason == UID_TAKEN
    assert beside(at_sogo, "DELETE", folder, one.ref).is_success
    (late,) = write(target, folder, [event("one", "Dinner")], head)
    assert isinstance(late, Refused)
    assert late.reason == CHANGED_THERE
    assert list(target.heads(folder)) == []
    anew = beside(at_sogo, "PUT", folder, one.ref, event("one"), **{"if-match": one.version.decode()})
    assert anew.status_code == 201
    assert [each.version for each in target.heads(folder)] == [one.version]  # as if nothing had happened


def test_one_uid_under_another_name_is_found(at_sogo: Place) -> None:
    target = connector.target(*at_sogo)
    folder = target.create_folder(("Names",), Kind.CALENDAR)
    assert beside(at_sogo, "PUT", folder, b"theirs.ics", event("one")).status_code == 201
    assert beside(at_sogo, "PUT", folder, b"again.ics", event("one")).status_code == 409
    same, other = (write(target, folder, [event("one", words)])[0] for words in ("Lunch", "Dinner"))
    assert isinstance(same, Stored)
    assert same.ref == b"theirs.ics"
    assert isinstance(other, Refused)
    assert other.reason == UID_TAKEN


def test_its_lists_of_contacts_are_groups(at_sogo: Place) -> None:
    target, source = connector.target(*at_sogo), connector.source(*at_sogo)
    folder = target.create_folder(("People",), Kind.CONTACTS)
    write(target, folder, [card("uid-1"), card("uid-2", "Bob")])
    cards = b"".join(b"CARD;EMAIL=x@x.example:%s\r\n" % own_name(uid, b".vcf") for uid in ("uid-1", "uid-2"))
    lines = b"BEGIN:VLIST\r\nUID:team.vlf\r\nVERSION:1.0\r\nFN:Team\r\n%sEND:VLIST\r\n" % cards
    assert beside(at_sogo, "PUT", folder, b"team.vlf", lines).status_code == 201
    (read,) = source.read(folder, [b"team.vlf"])
    found = vcard.outline(read.body.spool().read())
    assert (found.kind, found.formatted_name, found.members) == ("group", "Team", ("uid-1", "uid-2"))


def test_what_is_beyond_its_counting_is_told(at_sogo: Place) -> None:
    """Seconds since 1970, up to 2038: what is taken once is refused when it changes."""
    target = connector.target(*at_sogo)
    folder = target.create_folder(("Far",), Kind.CALENDAR)
    far = event("far").replace(b":2037", b":2099")
    (stored,) = write(target, folder, [far])
    assert isinstance(stored, Stored)
    (refused,) = write(target, folder, [far.replace(b"Lunch", b"Dinner")], *target.heads(folder))
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("500")
