"""Generates plan.schema.json, by which editors help with plans. `python -m xdmigrate_plans.schema` rewrites it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

FILE = "plan.schema.json"


def generate() -> str:
    """The JSON Schema (2020-12) of a plan file, as the model in `content` defines it."""
    from xdmigrate_plans.content import Content

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Content.model_json_schema(),
        "title": "xdmigrate plan",
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def shipped() -> str:
    """The schema as the package ships it."""
    return resources.files("xdmigrate_plans").joinpath(FILE).read_text("utf-8")


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(generate(), "utf-8")
