"""Mailbox rows for decisions that need no state."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from xdmigrate_state.rows import MailboxRow

PLAIN = MailboxRow(
    id=1,
    plan_id=1,
    account_id=1,
    source="ann@old.test",
    target="ann@new.test",
    into_path=(),
    name="",
    wave="",
    stage="planned",
    paused=False,
    skipped="",
    listed=True,
    passes=0,
    last_pass_at=None,
    retry_at=0.0,
    retries=0,
    attention_code="",
    attention_text="",
    attention_remedy="",
    attention_at=None,
    rejected_mark=None,
    system="memory://new",
)


def row(mailbox_id: int = 1, **columns: object) -> MailboxRow:
    """A mailbox with an account of its own."""
    values = {"account_id": mailbox_id, "source": f"user{mailbox_id}@old.test", **columns}
    return replace(PLAIN, id=mailbox_id, **values)  # type: ignore[arg-type]  # columns of MailboxRow


@st.composite
def rows(draw: st.DrawFn) -> list[MailboxRow]:
    """A plan's mailboxes in every standing; some share a target account."""
    count = draw(st.integers(0, 8))
    return [
        row(
            number,
            account_id=draw(st.integers(1, 5)),
            wave=draw(st.sampled_from(["", "pilot", "main"])),
            paused=draw(st.booleans()),
            skipped=draw(st.sampled_from(["", "", "left"])),
            listed=draw(st.sampled_from([True, True, False])),
            passes=draw(st.integers(0, 2)),
            last_pass_at=draw(st.none() | st.floats(0, 100)),
            retry_at=draw(st.sampled_from([0.0, 0.0, 50.0, 150.0])),
            attention_code=draw(st.sampled_from(["", "", "login-rejected", "quota-exceeded"])),
        )
        for number in range(1, count + 1)
    ]
