"""The state of a migration: what was intended, what was done, and what is left. Keys and plain values only.

`database` opens a state and runs units of work; every other module holds plain functions over a connection, so that
several of them compose inside one unit, and a unit is committed whole or not at all. Reads never need a lock.

The invariants, as they hold in this schema (`tables`)
------------------------------------------------------
1. *Intent before write.* Before the first byte of a range is sent, its `intent` row is committed: the source ids in
   the order of sending, and `floor`, a lower bound of the target's next id. Intent ids are never used twice, so an
   idempotency key made from one stays unique.
2. *Outcome with proof.* `item.outcome` becomes copied or present only in the statement that stores `place_id` and
   `target_id`; `ledger.settle` refuses anything else, and never changes a row that has such an outcome. One target
   item is claimed by at most one source item: (account, place, target id) is unique wherever it is set. A merged
   item claims none: `merged_into` names the target item that stands for it, and goes with it. Where a
   target told no ids, `place.unproved_from` is set with the first acknowledged range and cleared by the listing
   that proves it.
3. *Cursor after outcomes.* `folder.cursor` and `folder.state` are written after, or together with, the rows of all
   items they cover; an item without an outcome has a pending row.
4. *Closed arithmetic.* seen = pending + copied + present + merged + filtered + failed in every folder. The counters
   of `folder` change in the transaction that changes the rows (`counters`), `gone` is a column beside the outcome,
   and a folder whose validity changed hands its rows and counts to its successor (`ledger.transfer`). Failed rows,
   and only those, have a `failure` row. What stands on the target with other bytes has an `alteration` row, which
   holds the copy's size and fingerprint; the ledger's are the source's.
5. *Fencing.* Lock and epoch stand on `account`, the target mailbox, whichever mailboxes are copied into it. Every
   checkpoint calls `leases.check` inside its own unit, so a stale epoch commits nothing.
6. *Links are symmetric.* An item row links (folder, source id) and (place, target id), with the base flags and base
   version that both sides had. `place.baseline_*` is recorded before the first write into it.
7. *Keys are ids.* Mailboxes, folders and places have integer ids that are never used twice; addresses and paths are
   attributes. A `folder` is one incarnation (validity) of a source folder, a `place` one of a target folder;
   `folder.target_path` is frozen at the first write. Ids of outside systems are stored as decoded bytes.
8. *Nothing is lost on upgrade.* Alembic's migrations from empty equal `tables`; a state written by a newer version
   is refused, an older one is migrated in one transaction.
9. *The journal is append-only and hash-chained*, one chain a mailbox and one (0) for the plan; `chain` holds each
   head, and an anchor writes all heads into the plan's chain. `journal.verify` finds any edit, gap or truncation.
10. *No secret, no subject, no body.* The columns have no room for them; server texts are cut and cleaned on the way
    in (`failures`), plan snapshots hold references only.

The order of writes for one range
---------------------------------
a. unit: `leases.check`, `ledger.add` of what a listing found (pending or filtered);
b. unit: `leases.check`, `intents.open` — committed before the writer is opened;
c. the target is written;
d. unit: `leases.check`, `ledger.settle` with the ids the target gave, `places.advance`, `journal.append`,
   `intents.close`, and `folders.set_cursor` when the folder is read to its end.

A move of copies to another target folder is a range of the new source ids, whose intent also names the rows to which
the copies belonged; `ledger.hand_over` drops those in unit d, so that no two rows ever tell of one target item.

After a crash between b and d the intent is still open: the engine settles, reconciles what the place gained from
`floor` on against all open intents of that place, and ends with d. What it sends again is noted in `doubt` first.

Durability
----------
SQLite: WAL, `synchronous=FULL`, one writer thread that commits units in groups; a future resolves after its group is
on disk. PostgreSQL: one transaction a unit. Whatever was acknowledged survives `kill -9` and loss of power.
"""
