"""Cases about logging in, looking around, and closing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xdmigrate.contract import Source, Target
from xdmigrate.errors import LoginRejected
from xdmigrate.model import Role
from xdmigrate.testing.conformance.kit import Cases, Kit, bodies, mail, refs, write_all


class SessionCases(Cases):
    """A connector's face, and its sessions as a whole."""

    def test_settings_are_sound_and_identity_is_stable(self, kit: Kit) -> None:
        connector, endpoint = kit.profile.connector, kit.profile.endpoint
        assert connector.problems(endpoint) == []
        assert connector.identity(endpoint) == connector.identity(replace(endpoint, name="other"))
        assert connector.name == endpoint.connector
        assert connector.kinds

    def test_sessions_are_what_the_contract_says(self, kit: Kit) -> None:
        assert isinstance(kit.source(), Source)
        assert isinstance(kit.target(), Target)

    def test_wrong_password_is_a_rejected_login(self, kit: Kit) -> None:
        profile = kit.profile
        wrong = replace(profile.login, password=f"not-{profile.login.password}")
        for connect in (profile.connector.source, profile.connector.target, profile.connector.auditor):
            with pytest.raises(LoginRejected) as caught:
                connect(profile.endpoint, wrong)
            assert wrong.password not in str(caught.value)

    def test_check_finds_the_login_good_and_changes_nothing(self, kit: Kit) -> None:
        source = kit.source()
        before = source.folders()
        findings = kit.profile.connector.check(kit.profile.endpoint, kit.profile.login, writable=True)
        assert "login" in {finding.topic for finding in findings}
        assert all(finding.ok for finding in findings), findings
        assert kit.source().folders() == before

    def test_closing_twice_is_fine(self, kit: Kit) -> None:
        for session in (kit.source(), kit.target(), kit.auditor()):
            session.close()
            session.close()

    def test_empty_account(self, kit: Kit) -> None:
        source = kit.source()
        for folder in source.folders():
            if folder.selectable:
                assert folder.count == 0
                assert list(source.heads(folder)) == []
                told = source.changes(folder)
                assert told.complete
                assert list(told.heads) == []
                assert list(source.read(folder, [])) == []

    def test_inbox_has_its_role(self, kit: Kit) -> None:
        inboxes = [folder for folder in kit.source().folders() if folder.path == ("INBOX",)]
        assert [folder.role for folder in inboxes] in ([], [Role.INBOX])

    def test_sessions_see_what_others_wrote(self, kit: Kit) -> None:
        reader, writer = kit.source(), kit.target()
        folder = writer.create_folder(("Shared",))
        assert folder.path in {one.path for one in reader.folders()}
        messages = [mail("one"), mail("two")]
        for number, message in enumerate(messages, 1):
            write_all(writer, folder, [message], intent=number)
            assert reader.status(folder).count == number
            assert len(refs(reader, folder)) == number
        assert sorted(bodies(reader, folder).values()) == kit.expect(messages)

    def test_a_session_goes_on_behind_an_abandoned_listing(self, kit: Kit) -> None:
        target = kit.target()
        folder = kit.fill(target, [mail(f"m{number}") for number in range(20)])
        for listing in (target.heads(folder), target.changes(folder).heads):
            next(listing)
            del listing
            assert target.status(folder).count == 20
        assert len(refs(target, folder)) == 20
