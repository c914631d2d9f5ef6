"""Loading: every problem at once, refused by name, never with a secret."""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xdmigrate.errors import PlanInvalid, Problem
from xdmigrate_plans.loader import load
from xdmigrate_plans.plan import Plan
from xdmigrate_plans.textfile import unprintable
from xdmigrate_plans.vocabulary import SECTIONS

Load = Callable[..., Plan]
Problems = Callable[..., list[Problem]]


def by_place(problems: list[Problem]) -> dict[str, str]:
    return {problem.where: str(problem) for problem in problems}


def test_a_minimal_plan_has_the_documented_defaults(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal)
    assert plan.name == "contoso"
    assert [(box.source, box.target, box.line) for box in plan.mailboxes] == [("ann@old.example", "ann@new.example", 9)]
    assert plan.scope.folders.include == ("*",)
    assert (plan.scope.order, plan.scope.max_size, plan.scope.mail_since) == ("newest", None, None)
    assert (plan.failures.items_per_mailbox, plan.deletions, plan.connections("old")) == (50, "additive", 4)
    assert (plan.endpoint_name("source"), plan.endpoint_name("target")) == ("old", "new")


def test_all_problems_come_at_once_with_line_value_and_remedy(problems_of: Problems) -> None:
    told = by_place(
        problems_of(
            """\
version: 2
name: Contoso Ltd
customer: {timezone: Europe/Londn}
endpoints:
  old: {connector: imap, hots: imap.old.example, port: "993", auth: {user: "{adress}", password: hunter2}}
  new: {connector: imapp, host: imap.new.example, tls: none}
source: olld
target: {mail: neww}
mailboxes:
  - {source: ann@old.example, wave: on}
  - {target: bob@new.example}
  - {file: nowhere.csv}
  -
scope: {folders: {exclude: ["\\\\Jnk"]}, max_size: 50MiB, mail_since: 2015, ordr: newest}
limits: {oldd: {connections: 0}}
failures: {items_per_mailbox: many}
deletions: mirrored
unknown: 1
"""
        )
    )
    expected = {
        "version": ":1:",
        "name": "'Contoso Ltd'",
        "customer.timezone": "did you mean Europe/London?",
        "endpoints.old.host": ":5: endpoints.old.host: is missing",
        "endpoints.old.hots": "did you mean 'host'?",
        "endpoints.old.port": "'993' is not a whole number",
        "endpoints.old.auth.user": "did you mean 'address'?",
        "endpoints.old.auth.password": "plain secret",
        "endpoints.new.connector": "did you mean 'imap'?",
        "endpoints.new.tls": "'none' sends passwords in plain text",
        "source": "'olld' is no endpoint; did you mean 'old'?",
        "target.mail": "did you mean 'new'?",
        "mailboxes.0.wave": ":10: mailboxes.0.wave: true is not text; put it in quotes",
        "mailboxes.1.source": ":11:",
        "mailboxes.2.file": "No such file",
        "mailboxes.3": "nothing is not a mapping",
        "scope.folders.exclude.0": "did you mean \\Junk?",
        "scope.max_size": "'50MiB' is not a size; write for example 50MB",
        "scope.mail_since": "2015 is not a date",
        "scope.ordr": "did you mean 'order'?",
        "limits.oldd": "did you mean 'old'?",
        "limits.oldd.connections": "greater than or equal to 1",
        "failures.items_per_mailbox": "'many' is not a whole number",
        "deletions": "'mirrored' is not accepted here; use 'additive' or 'mirror'",
        "unknown": "unknown key 'unknown'",
    }
    assert set(told) == set(expected)
    for where, words in expected.items():
        assert words in told[where]
    assert "hunter2" not in "".join(told.values())


UNSUPPORTED = {
    **{f"{name}: {{}}": name for name in SECTIONS},
    "source: {mail: old, directory: old}": "source.directory",
    "target: {mail: new, directory: new}": "target.directory",
    "limits: {old: {rate: []}}": "limits.old.rate",
    "limits: {old: {bytes_per_day: 2GB}}": "limits.old.bytes_per_day",
    "mailboxes: [{discover: all, exclude: [x], wave: main}]": "mailboxes.0",
}


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_what_is_not_supported_yet_is_refused_by_name(text: str, problems_of: Problems, minimal: str) -> None:
    place = UNSUPPORTED[text]
    key = text.partition(":")[0]
    base = yaml.safe_load(minimal)
    base.pop(key, None)
    [problem] = problems_of(yaml.safe_dump(base) + text)
    assert problem.where == place
    assert "is not supported by this version" in problem.message
    assert place.rpartition(".")[2].strip("0") in problem.message


TOKENS = {
    "token: 'command:x'": None,
    "token: 'command:x', mechanism: xoauth2": None,
    "token: 'env:X', password: 'env:Y'": ("token", "write one of"),
    "token: plain": ("token", "refer to it"),
    "token: 'command:x', mechanism: login": ("mechanism", "write xoauth2 or oauthbearer"),
    "mechanism: oauthbearer": ("mechanism", "write `token` or `oauth`"),
    "oauth: {flow: client-credentials, tenant: t, client_id: c, client_secret: 'file:s'}": None,
    "oauth: {flow: client-credentials, tenant: t, client_id: c, certificate: 'file:s'}": None,
    "oauth: {flow: client-credentials, tenant: t, client_id: c}": ("oauth", "write one of them"),
    "oauth: {flow: client-credentials, tenant: t, client_id: c, client_secret: geheim}": (
        "oauth.client_secret",
        "refer to it",
    ),
    "oauth: {flow: client_credentials}": ("oauth.flow", "did you mean client-credentials?"),
    "oauth: {tenant: t}": ("oauth.flow", "write client-credentials"),
    "oauth: {flow: device-code}": ("oauth.client_id", "write it"),
    "oauth: {flow: device-code, client_id: c, tenat: x}": ("oauth.tenat", "did you mean"),
    "oauth: {flow: device-code, client_id: c, authority: 'http://127.0.0.1'}": ("oauth.authority", "write for example"),
    "oauth: {flow: google-service-account, key: 'file:key.json', subject: '{address}'}": None,
    "oauth: {flow: google-service-account, key: 'file:key.json', subject: '{adress}'}": (
        "oauth.subject",
        "did you mean",
    ),
}


@pytest.mark.parametrize("auth", TOKENS)
def test_logins_by_token(auth: str, load_text: Load, problems_of: Problems, minimal: str) -> None:
    text = minimal.replace('{password: "env:OLD"}', f"{{{auth}}}")
    expected = TOKENS[auth]
    if expected is None:
        assert load_text(text).endpoints["old"].auth is not None
        return
    [problem] = problems_of(text)
    assert problem.line == 4
    assert problem.where == f"endpoints.old.auth.{expected[0]}"
    assert expected[1] in problem.remedy
    assert "geheim" not in str(problem)


def test_a_section_emptied_by_comments_counts_as_absent(load_text: Load, minimal: str) -> None:
    assert load_text(minimal + "scope:\n  # order: oldest\nlimits:\n").scope.order == "newest"


@pytest.mark.parametrize(
    "auth",
    [
        "{password: hunter2}",
        "{password: 4711hunter2}",
        '{password: "hunter2:x"}',
        '{password: " env:hunter2"}',
        "{password: {is: hunter2}}",
        "{password: [hunter2]}",
        "{passwrd: hunter2}",
        "{token: hunter2}",
        "hunter2",
        "[hunter2]",
        '{password: "env:hunter2-{foo}"}',
        "{password: *hunter2}",
        "{password:hunter2}",
        "{password:hunter2, password:hunter2}",
        "{user: ann, hunter2}",
        "{password: {hunter2}}",
        '{mechanism: "imaps://ann:hunter2@host"}',
    ],
)
def test_a_plain_password_is_never_printed(auth: str, problems_of: Problems, minimal: str) -> None:
    problems = problems_of(minimal.replace('{password: "env:OLD"}', auth))
    assert problems[0].line == 4
    assert "hunter2" not in "\n".join(map(str, problems))


def test_an_inline_mailbox_holds_no_password(problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal.replace("{source:", "{source_password: hunter2, source:"))
    assert problem.where == "mailboxes.0.source_password"
    assert "xdmigrate secret PLAN set" in problem.remedy
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("setting", ["password: hunter2", "tsig: {secret: hunter2}", "url: 'x://ann:hunter2@host/'"])
def test_other_connectors_settings_hold_no_plain_secret_either(
    setting: str, problems_of: Problems, minimal: str
) -> None:
    [problem] = problems_of(minimal.replace("host: imap.old.example", setting).replace("imap,", "memory,", 1))
    assert problem.where == f"endpoints.old.{setting.partition(':')[0]}"
    assert "hunter2" not in str(problem)


def test_other_connectors_settings_pass_through(load_text: Load, minimal: str) -> None:
    text = minimal.replace(
        "imap, host: imap.old.example", "memory, server: x, tsig: {secret: 'file:k', n: [1, true]}", 1
    )
    described = load_text(text).endpoints["old"].described()
    assert described["tsig"] == {"secret": "file:k", "n": [1, True]}
    assert described["server"] == "x"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", '"::1"', '"[::1]"'])
def test_plain_text_stays_on_this_machine(host: str, load_text: Load, minimal: str) -> None:
    text = minimal.replace("host: imap.old.example", f"host: {host}, tls: none")
    assert load_text(text).endpoints["old"].described()["port"] == 143


@pytest.mark.parametrize("host", ["imap.old.example", "localhost.evil.example", "10.0.0.1"])
def test_plain_text_elsewhere_must_be_wished_for(
    host: str, load_text: Load, problems_of: Problems, minimal: str
) -> None:
    text = minimal.replace("host: imap.old.example", f"host: {host}, tls: none")
    [problem] = problems_of(text)
    assert problem.where == "endpoints.old.tls"
    assert load_text(text.replace("tls: none", "tls: none, insecure: true")).endpoints["old"].insecure


@pytest.mark.parametrize("host", ["imaps://x", "a b", "x:993", "ann@x", "x/y", '"x\\r\\ny"', '""'])
def test_a_host_is_a_host(host: str, problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal.replace("imap.old.example", host))
    assert problem.where == "endpoints.old.host"


def test_one_target_for_two_needs_a_word(load_text: Load, problems_of: Problems, minimal: str) -> None:
    second = minimal + "  - {source: bob@old.example, target: Ann@New.example"
    [problem] = problems_of(second + "}\n")
    assert (problem.line, problem.where) == (10, "mailboxes.1")
    assert "ann@old.example" in problem.message
    assert load_text(second + ", into: Bob}\n").mailboxes[1].into == "Bob"
    for wish in ("keep", "dedupe"):
        told = load_text(second + f", merge: {wish}}}\n").mailboxes
        assert [box.merge for box in told] == [wish, wish]  # the first shares like the others


def test_mailboxes_in_one_place_share_it_in_one_way(load_text: Load, problems_of: Problems, minimal: str) -> None:
    second = minimal + "  - {source: bob@old.example, target: ann@new.example, merge: keep}\n"
    third = "  - {source: cid@old.example, target: ann@new.example, merge: dedupe}\n"
    [problem] = problems_of(second + third)
    assert (problem.line, problem.where) == (11, "mailboxes.2")
    assert "bob@old.example" in problem.message
    apart = third.replace("merge", "into: Cid, merge")
    assert [box.merge for box in load_text(second + apart).mailboxes] == ["keep", "keep", "dedupe"]


def test_a_file_of_mailboxes_may_share_one_place(load_text: Load, minimal: str, tmp_path: Path) -> None:
    (tmp_path / "leavers.csv").write_text("source,target\nbob@x,ann@new.example\ncid@x,ann@new.example\n")
    told = load_text(minimal + "  - {file: leavers.csv, merge: dedupe}\n").mailboxes
    assert [box.merge for box in told] == ["dedupe"] * 3


def test_the_same_folder_for_two_is_the_same_place(problems_of: Problems, minimal: str) -> None:
    lines = [f"  - {{source: {name}@old.example, target: ann@new.example, into: Old}}\n" for name in ("bob", "carl")]
    [problem] = problems_of(minimal + "".join(lines))
    assert problem.line == 11


@pytest.mark.parametrize("into", ["a//b", "/a", "a/", '"\\\\Sent"', '""'])
def test_into_is_a_folder(into: str, problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal.replace("{source:", f"{{into: {into}, source:"))
    assert problem.where == "mailboxes.0.into"


def test_addresses_rename_whoever_has_no_target(load_text: Load, minimal: str) -> None:
    plan = load_text(
        minimal
        + "  - {source: Bob@Old.example}\n  - {source: carl@old.example}\n  - {source: dora}\n"
        + "addresses: {old.example: new.example, CARL@old.example: karl@new.example, new.example: third.example}\n"
    )
    assert [box.target for box in plan.mailboxes[1:]] == ["Bob@new.example", "karl@new.example", "dora"]


def test_addresses_map_like_to_like(problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal + "addresses: {ann@old.example: new.example}\n")
    assert problem.where == "addresses"


def test_the_first_entry_that_names_a_mailbox_wins(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal + "  - {source: ANN@old.example, target: other@new.example}\n")
    assert [box.target for box in plan.mailboxes] == ["ann@new.example"]


def test_no_mailbox_is_copied_onto_itself(load_text: Load, problems_of: Problems, minimal: str) -> None:
    text = minimal.replace("imap.new.example", "IMAP.old.example").replace("ann@new.example", "ann@old.example")
    [problem] = problems_of(text)
    assert (problem.line, "onto itself" in problem.message) == (9, True)
    assert load_text(text.replace("target: ann", "target_user: anna, target: ann")).mailboxes


def test_an_admin_may_act_for_two_mailboxes_of_one_system(load_text: Load, problems_of: Problems, minimal: str) -> None:
    admin = "{user: admin, authorize_as: '{address}', password:"
    text = minimal.replace("imap.new.example", "imap.old.example").replace("{password:", admin)
    assert load_text(text).mailboxes
    [problem] = problems_of(text.replace("ann@new.example", "ann@old.example"))
    assert "onto itself" in problem.message


def test_missing_certificates_are_told(problems_of: Problems, load_text: Load, minimal: str, tmp_path: Path) -> None:
    text = minimal.replace("host: imap.old.example", "host: imap.old.example, ca: ca.pem")
    [problem] = problems_of(text)
    assert problem.where == "endpoints.old.ca"
    (tmp_path / "ca.pem").touch()
    assert load_text(text).endpoints["old"].ca == "ca.pem"
    [problem] = problems_of(text.replace("ca.pem", "x" * 999))
    assert problem.where == "endpoints.old.ca"


@pytest.mark.parametrize(("size", "octets"), [("50MB", 50_000_000), ("2.4GB", 2_400_000_000), ("1 kB", 1000), ("7", 7)])
def test_sizes_are_decimal(size: str, octets: int, load_text: Load, minimal: str) -> None:
    assert load_text(minimal + f"scope: {{max_size: {size}}}\n").scope.max_size == octets


@pytest.mark.parametrize("size", ["0", "-1", "true", "1e3", "50 XB", "0.1B", "99999999999999TB", '"٣MB"'])
def test_what_is_no_size_is_refused(size: str, problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal + f"scope: {{max_size: {size}}}\n")
    assert problem.where == "scope.max_size"


def test_special_uses_are_spelled_as_registered(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal + "scope: {folders: {exclude: ['\\junk', 'Archive/*'], rename: {A/B: C}}}\n")
    assert plan.scope.folders.exclude == ("\\Junk", "Archive/*")
    assert plan.scope.folders.rename == {"A/B": "C"}


def test_two_folders_are_not_renamed_to_one(problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal + "scope: {folders: {rename: {A: C, B: c}}}\n")
    assert problem.where == "scope.folders.rename"


def test_login_may_act_for_another_user_where_the_server_has_proxyauth(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal.replace("{password:", "{mechanism: login, authorize_as: '{address}', password:", 1))
    auth = plan.endpoints["old"].auth
    assert auth is not None
    assert (auth.mechanism, auth.authorize_as) == ("login", "{address}")


@pytest.mark.parametrize("value", ['"ann\\nx"', '"ann\\0"', '" ann"', '""', '"' + "a" * 1001 + '"'])
def test_addresses_hold_no_tricks(value: str, problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(minimal.replace("source: ann@old.example", f"source: {value}"))
    assert problem.where == "mailboxes.0.source"
    assert str(problem).isprintable()


def test_the_checksum_follows_meaning_not_layout(load_text: Load, minimal: str) -> None:
    plan = load_text(minimal)
    assert len(plan.checksum) == 12
    assert load_text("# a comment\n" + minimal.replace("{source", "{   source")).checksum == plan.checksum
    assert load_text(minimal.replace("imap.old.example", "imap.old.example, port: 993")).checksum == plan.checksum
    assert load_text(minimal + "deletions: mirror\n").checksum != plan.checksum


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "large", "utf-16"])
def test_a_file_that_cannot_be_a_plan(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "large":
            path.write_bytes(b"#" * 10_000_001)
        case "utf-16":
            path.write_text("name: x", "utf-16")
    with pytest.raises(PlanInvalid) as refusal:
        load(path, connectors=frozenset({"imap"}))
    [problem] = refusal.value.problems
    assert (problem.file, problem.line, problem.where) == (str(path), 1, "plan")


# --- extends ----------------------------------------------------------------------------------------------------


def test_extends_merges_mappings_and_replaces_the_rest(load_text: Load, minimal: str, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "house.yaml").write_text(
        minimal.replace('"env:OLD"', '"file:old.pw"')
        + "limits: {old: {connections: 9}}\nfailures: {items_per_mailbox: 7}\n"
    )
    plan = load_text(
        "extends: shared/house.yaml\nname: other\nlimits: {new: {connections: 3}}\nfailures:\n"
        "endpoints: {old: {port: 1993}}\nmailboxes: [{source: bob@old.example}]\n"
    )
    assert (plan.name, plan.connections("old"), plan.connections("new")) == ("other", 9, 3)
    assert plan.failures.items_per_mailbox == 50
    assert [box.source for box in plan.mailboxes] == ["bob@old.example"]
    old = plan.endpoints["old"].described()
    assert (old["host"], old["port"]) == ("imap.old.example", 1993)
    assert old["auth"]["password"] == "file:shared/old.pw"
    assert "extends" not in plan.snapshot()


def test_a_problem_stands_in_the_file_that_has_it(problems_of: Problems, minimal: str, tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("failures: {items_per_mailbox: -1}\n")
    [problem] = problems_of("extends: house.yaml\n" + minimal)
    assert (problem.file, problem.line) == (str(tmp_path / "house.yaml"), 1)


def test_extends_never_turns_in_circles(problems_of: Problems, minimal: str, tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("extends: ./plan.yaml\n")
    [problem] = problems_of("extends: house.yaml\n" + minimal)
    assert (problem.file, problem.where) == (str(tmp_path / "house.yaml"), "extends")
    assert "extends itself" in problem.message


def test_a_long_row_of_files_ends(problems_of: Problems, minimal: str, tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"{n}.yaml").write_text(f"extends: {n + 1}.yaml\n")
    [problem] = problems_of("extends: 0.yaml\n" + minimal)
    assert "in a row" in problem.message


@pytest.mark.parametrize("name", ["nowhere.yaml", '"a\\0b"', "/dev/zero", "."])
def test_extending_nothing_is_told_where_it_is_asked_for(name: str, problems_of: Problems, minimal: str) -> None:
    [problem] = problems_of(f"extends: {name}\n" + minimal)
    assert (problem.line, problem.where) == (1, "extends")


# --- invariants -------------------------------------------------------------------------------------------------


def outcome(content: bytes) -> Plan | list[Problem]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "plan.yaml")
        path.write_bytes(content)
        try:
            return load(path, connectors=frozenset({"imap", "memory"}))
        except PlanInvalid as refusal:
            return refusal.problems


@given(st.binary())
def test_any_bytes_give_problems(content: bytes) -> None:
    found = outcome(content)
    assert isinstance(found, list)
    assert found


FULL = yaml.safe_load(
    """
version: 1
name: contoso
customer: {name: Contoso, timezone: UTC, language: en}
endpoints:
  old: {connector: imap, host: a, port: 1, tls: starttls, auth: {user: u, password: "env:A", mechanism: plain}}
  new: {connector: memory, server: x, tsig: {secret: "env:A"}}
source: {mail: old}
target: new
addresses: {a.example: b.example}
mailboxes: [{source: ann, target: bob, into: x, wave: w, merge: keep}, {file: x.csv}]
scope: {folders: {include: ["*"], exclude: [x], rename: {a: b}}, mail_since: "2015-01-01", max_size: 5MB, order: oldest}
limits: {old: {connections: 3}}
failures: {items_per_mailbox: 5}
deletions: mirror
"""
)

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
trees = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
)


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [here, *(place for key, below in inner for place in places(below, (*here, key)))]


def grafted(place: tuple[Any, ...], branch: Any) -> Any:
    tree = copy.deepcopy(FULL)
    if not place:
        return branch
    below = tree
    for step in place[:-1]:
        below = below[step]
    below[place[-1]] = branch
    return tree


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(st.sampled_from(places(FULL)), trees)
def test_any_tree_gives_a_plan_or_problems(place: tuple[Any, ...], branch: Any) -> None:
    """Every value of a plan, replaced by anything."""
    text = yaml.safe_dump(grafted(place, branch), allow_unicode=True)
    found = outcome(text.encode("utf-8", "surrogatepass"))
    if isinstance(found, list):
        assert found
        assert all(problem.line >= 1 and problem.where and problem.message for problem in found)
        assert not any(unprintable(str(problem)) for problem in found)
    else:
        assert found.checksum == found.checksum.lower()


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=6, max_size=30))
def test_no_plain_password_is_told(secret: str) -> None:
    marked = f"hunter2{secret}"
    tree = grafted(("endpoints", "old", "auth", "password"), marked)
    found = outcome(yaml.safe_dump(tree, allow_unicode=True).encode())
    assert isinstance(found, list)
    assert "hunter2" not in "".join(map(str, found))
