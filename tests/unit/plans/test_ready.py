"""What the package ships: ready plans, the schema, and the documentation of both."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from xdmigrate.errors import UsageError
from xdmigrate.model import Kind, Role
from xdmigrate_plans import csvfile, vocabulary
from xdmigrate_plans.checks import login_name
from xdmigrate_plans.init import copy, draft, ready
from xdmigrate_plans.loader import load
from xdmigrate_plans.logins import endpoint
from xdmigrate_plans.plan import Plan, Side, Way
from xdmigrate_plans.references import SCHEMES
from xdmigrate_plans.schema import generate, shipped

Load = Callable[..., Plan]
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "plan.md"
READY = [
    "dav-to-dav",
    "dav-to-files",
    "files-to-dav",
    "files-to-imap",
    "google-workspace-to-microsoft-365",
    "imap-and-dav",
    "imap-to-files",
    "imap-to-imap",
    "imap-to-imap-csv",
    "leaver-into-colleague",
]
GROUPWARE = (Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS)
MOVED = {"imap": frozenset((Kind.MAIL,)), "dav": frozenset(GROUPWARE), "files": frozenset(Kind)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ready plans, as a person copies them."""
    with resources.as_file(resources.files("xdmigrate_plans") / "ready") as found:
        shutil.copytree(found, tmp_path / "ready")
    return tmp_path / "ready"


def test_these_are_ready() -> None:
    assert ready() == READY


@pytest.mark.parametrize("name", READY)
def test_a_ready_plan_loads(name: str, folder: Path) -> None:
    plan = load(folder / f"{name}.yaml", connectors=frozenset(MOVED), moves=MOVED.__getitem__)
    assert plan.mailboxes
    lines = [
        line for line in (folder / f"{name}.yaml").read_text().splitlines() if line.strip() and line.strip()[0] != "#"
    ]
    assert len(lines) <= 15


def test_what_mail_and_groupware_go_by(folder: Path) -> None:
    """A provider mostly has two services; both are one plan, and a server of one alone needs no more than its name."""
    both, dav = (
        load(folder / f"{name}.yaml", connectors=frozenset(MOVED), moves=MOVED.__getitem__)
        for name in ("imap-and-dav", "dav-to-dav")
    )
    assert both.ways == [Way("old", "new", (Kind.MAIL,)), Way("old-dav", "new-dav", GROUPWARE)]
    assert dav.ways == [Way("old", "new", GROUPWARE)]


@pytest.mark.parametrize(
    ("pair", "kinds"),
    [
        (("imap", "files"), (Kind.MAIL,)),
        (("files", "imap"), (Kind.MAIL,)),
        (("dav", "files"), GROUPWARE),
        (("files", "dav"), GROUPWARE),
    ],
)
def test_files_are_drafted_in_both_directions(pair: tuple[str, str], kinds: tuple[Kind, ...], tmp_path: Path) -> None:
    """Nobody logs in at files, and a path starts at the plan."""
    path = tmp_path / "plan.yaml"
    path.write_text(draft("northwind", *pair))
    plan = load(path, connectors=frozenset(MOVED), moves=MOVED.__getitem__)
    (name,) = [name for name, each in plan.endpoints.items() if each.connector == "files"]
    side: Side = "source" if name == "old" else "target"
    assert plan.ways == [Way("old", "new", kinds)]
    assert str(endpoint(plan, name).settings["path"]).startswith(str(tmp_path))
    assert login_name(plan, side, plan.mailboxes[0]) == "ann@contoso.example"
    assert plan.endpoints[name].auth is None


def test_a_leaver_goes_into_a_folder(folder: Path) -> None:
    plan = load(folder / "leaver-into-colleague.yaml", connectors=frozenset({"imap"}))
    assert [(box.target, box.into) for box in plan.mailboxes] == [("ann@contoso.example", "Bob (left 2025)")]


def test_the_csv_of_the_ready_plan_is_read(folder: Path) -> None:
    plan = load(folder / "imap-to-imap-csv.yaml", connectors=frozenset({"imap"}))
    assert [(box.target, box.wave) for box in plan.mailboxes] == [
        ("ann@new.example", "pilot"),
        ("bob@new.example", "main"),
    ]


def test_a_draft_has_the_wished_name_and_loads(load_text: Load) -> None:
    text = draft("northwind-2", "imap", "imap")
    plan = load_text(text)
    assert plan.name == "northwind-2"
    assert [box.target for box in plan.mailboxes] == ["ann@new.example", "robert@new.example"]
    assert text.count("#") >= 5


@pytest.mark.parametrize("name", ["", "Contoso", "../x", "a b", "-a", "a" * 64, "a\n", "é"])
def test_a_draft_needs_a_usable_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a plan"):
        draft(name, "imap", "imap")


@pytest.mark.parametrize("pair", [("imap", "exchange"), ("imap", "imap-csv"), ("..", "x")])
def test_a_draft_needs_a_ready_plan(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="no ready plan") as refusal:
        draft("x", *pair)
    assert refusal.value.remedy.startswith(
        "ready plans: dav-to-dav, dav-to-files, files-to-dav, files-to-imap, imap-to-files, imap-to-imap; a mail server"
    )


# --- the schema -------------------------------------------------------------------------------------------------


def test_the_shipped_schema_is_the_generated_one() -> None:
    """`python -m xdmigrate_plans.schema` rewrites it."""
    assert shipped() == generate()


def keys_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for below in schema.values():
            yield from keys_of(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from keys_of(below)


def words_in_code() -> set[str]:
    text = re.sub(r"```.+?```", "", DOCUMENTATION.read_text(), flags=re.DOTALL)
    quoted = re.findall(r"`([^`]+)`", text)
    return {word for text in quoted for word in re.findall(r"[A-Za-z_\\]+", text)}


def test_every_ready_plan_is_documented() -> None:
    assert set(READY) <= set(re.findall(r"^\| `([a-z0-9-]+)` \|", DOCUMENTATION.read_text(), re.MULTILINE))


def test_every_key_is_documented() -> None:
    found = set(keys_of(json.loads(generate())))
    assert {"version", "endpoints", "authorize_as", "items_per_mailbox"} <= found
    assert found - words_in_code() == set()


def test_columns_references_and_special_uses_are_documented() -> None:
    wanted = {*csvfile.COLUMNS, *csvfile.TYPES, *SCHEMES, *(role.value for role in Role)}
    assert wanted - words_in_code() == set()


def test_the_documented_plan_loads(load_text: Load) -> None:
    [example] = re.findall(r"```yaml\n(.+?)```", DOCUMENTATION.read_text(), re.DOTALL)
    assert load_text(example).name == "contoso"


def test_no_unsupported_word_is_in_the_schema() -> None:
    schema = json.loads(generate())
    assert not set(vocabulary.SECTIONS) & set(schema["properties"])
    assert schema["additionalProperties"] is False


def accepts(schema: Any, value: Any, root: Any) -> bool:
    """As much of JSON Schema as the generated one uses."""
    if "$ref" in schema:
        return accepts(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root)
    checks = [
        "const" not in schema or schema["const"] == value,
        "enum" not in schema or value in schema["enum"],
        "not" not in schema or not accepts(schema["not"], value, root),
        "anyOf" not in schema or any(accepts(below, value, root) for below in schema["anyOf"]),
        "oneOf" not in schema or sum(accepts(below, value, root) for below in schema["oneOf"]) == 1,
        "pattern" not in schema or re.search(schema["pattern"], value) is not None if isinstance(value, str) else True,
        "type" not in schema or isinstance(value, TYPES[schema["type"]]),
    ]
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        named = schema.get("patternProperties", {})
        known = known | {key: below for key in value for pattern, below in named.items() if re.search(pattern, key)}
        checks.append(set(schema.get("required", ())) <= set(value))
        checks += [accepts(known[key], below, root) for key, below in value.items() if key in known]
        extra = [below for key, below in value.items() if key not in known]
        checks += [others if isinstance(others, bool) else accepts(others, below, root) for below in extra]
    if isinstance(value, list) and "items" in schema:
        checks += [accepts(schema["items"], below, root) for below in value]
    return all(checks)


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


@pytest.mark.parametrize("name", READY)
def test_the_schema_accepts_the_ready_plans(name: str, folder: Path) -> None:
    schema = json.loads(generate())
    data = yaml.safe_load((folder / f"{name}.yaml").read_text())
    assert accepts(schema, data, schema)
    assert not accepts(schema, {**data, "cutover": {}}, schema)
    assert not accepts(schema, {**data, "endpoints": {"old": {"connector": "imap", "hots": "x"}}}, schema)
    assert accepts(schema, {**data, "endpoints": {"old": {"connector": "memory", "server": "x"}}}, schema)


def test_any_ready_plan_can_be_taken_by_its_name(load_text: Load) -> None:
    assert load_text(
        copy("northwind", "imap-to-imap-csv").replace("{file: mailboxes.csv", "{source: ann@x.example")
    ).name
    assert "\nname: northwind\n" in copy("northwind", "imap-and-dav")
    with pytest.raises(UsageError, match="no ready plan 'imap-and-caldav'") as refusal:
        copy("northwind", "imap-and-caldav")
    assert "imap-and-dav" in refusal.value.remedy
