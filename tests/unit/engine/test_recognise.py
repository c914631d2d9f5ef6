"""Folders are recognised by permanent id, else by validity, whatever they are called."""

from __future__ import annotations

from xdmigrate.engine.recognise import How, recognise
from xdmigrate.model import Folder, Path
from xdmigrate_state.rows import Counts, FolderRow


def row(number: int, path: Path, validity: int, *, ref: bytes = b"", next_id: bytes = b"\0\0\0\5") -> FolderRow:
    return FolderRow(
        id=number,
        mailbox_id=1,
        account_id=1,
        kind="mail",
        path=path,
        role="",
        ref=ref,
        validity=validity,
        next_id=next_id,
        state=b"",
        cursor=b"",
        target_path=path,
        place_id=1,
        adopted=True,
        vanished=False,
        superseded=False,
        counts=Counts(seen=4, copied=4),
    )


def folder(path: Path, validity: int, *, ref: bytes = b"", next_id: bytes = b"\0\0\0\5") -> Folder:
    return Folder(path, validity=validity, ref=ref, next_id=next_id)


def told(known: list[FolderRow], listed: list[Folder]) -> tuple[dict[Path, tuple[How, int | None]], list[int]]:
    found, lost = recognise(known, listed)
    return {r.folder.path: (r.how, r.row.id if r.row else None) for r in found}, [row.id for row in lost]


def test_same_name_and_validity_is_the_same_folder() -> None:
    assert told([row(1, ("A",), 7)], [folder(("A",), 7)]) == ({("A",): (How.SAME, 1)}, [])


def test_a_new_name_with_the_permanent_id_is_a_rename() -> None:
    found = told([row(1, ("A",), 7, ref=b"F1")], [folder(("B",), 7, ref=b"F1")])
    assert found == ({("B",): (How.RENAMED, 1)}, [])


def test_another_permanent_id_under_the_old_name_is_another_folder() -> None:
    known = [row(1, ("A",), 7, ref=b"F1")]
    found = told(known, [folder(("A",), 9, ref=b"F2"), folder(("B",), 7, ref=b"F1")])
    assert found == ({("A",): (How.NEW, None), ("B",): (How.RENAMED, 1)}, [])


def test_the_same_validity_under_a_new_name_may_be_a_rename() -> None:
    assert told([row(1, ("A",), 7)], [folder(("B",), 7)]) == ({("B",): (How.MAYBE_RENAMED, 1)}, [])


def test_a_lower_next_id_is_no_rename() -> None:
    found = told([row(1, ("A",), 7)], [folder(("B",), 7, next_id=b"\0\0\0\2")])
    assert found == ({("B",): (How.NEW, None)}, [1])


def test_two_possible_origins_are_none() -> None:
    found, lost = told([row(1, ("A",), 1), row(2, ("B",), 1)], [folder(("C",), 1)])
    assert (found, lost) == ({("C",): (How.NEW, None)}, [1, 2])


def test_swapped_names_are_two_renames() -> None:
    found = told([row(1, ("A",), 7), row(2, ("B",), 8)], [folder(("A",), 8), folder(("B",), 7)])
    assert found == ({("A",): (How.MAYBE_RENAMED, 2), ("B",): (How.MAYBE_RENAMED, 1)}, [])


def test_another_validity_under_the_same_name_is_a_renumbering() -> None:
    assert told([row(1, ("A",), 7)], [folder(("A",), 9)]) == ({("A",): (How.RENUMBERED, 1)}, [])


def test_the_newer_incarnation_wins_when_a_rematch_was_interrupted() -> None:
    found, lost = told([row(1, ("A",), 7), row(2, ("A",), 9)], [folder(("A",), 9)])
    assert (found, lost) == ({("A",): (How.SAME, 2)}, [1])


def test_a_lower_next_id_under_the_same_validity_means_other_ids() -> None:
    """A server restored from a backup gives the ids of what came after it to other messages."""
    restored = folder(("A",), 7, next_id=b"\0\0\0\3")
    assert told([row(1, ("A",), 7)], [restored]) == ({("A",): (How.RENUMBERED, 1)}, [])
    with_ref = folder(("A",), 7, ref=b"F1", next_id=b"\0\0\0\3")
    assert told([row(1, ("A",), 7, ref=b"F1")], [with_ref]) == ({("A",): (How.RENUMBERED, 1)}, [])


def test_of_two_incarnations_the_one_whose_ids_go_on_is_the_folder() -> None:
    """A run that was stopped while it matched ids anew leaves both; the other one is matched to the end."""
    restored = folder(("A",), 7, ref=b"F1", next_id=b"\0\0\0\3")
    known = [row(1, ("A",), 7, ref=b"F1"), row(2, ("A",), 7, ref=b"F1", next_id=b"\0\0\0\2")]
    assert told(known, [restored]) == ({("A",): (How.SAME, 2)}, [1])


def test_a_next_id_that_is_not_told_proves_nothing() -> None:
    assert told([row(1, ("A",), 7)], [folder(("A",), 7, next_id=b"")]) == ({("A",): (How.SAME, 1)}, [])
