"""What a plan file may say: one class per section. `plan.schema.json` is generated from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from xdmigrate.model import Kind
from xdmigrate_plans.endpoints import AnyEndpoint
from xdmigrate_plans.section import Section
from xdmigrate_plans.values import (
    Day,
    EndpointName,
    FolderPath,
    FolderPattern,
    Label,
    Language,
    PlanName,
    Size,
    Text,
    TimeZone,
    fault,
)

Merge = Literal["keep", "dedupe"]

DEFAULT_CONNECTIONS = 4
MAX_CONNECTIONS = 500


class Customer(Section):
    """Whose mailboxes move."""

    name: Text | None = Field(default=None, description="The customer's name, as reports show it.")
    timezone: TimeZone | None = Field(default=None, description="IANA time zone of the customer, for reports.")
    language: Language | None = Field(default=None, description="Language tag of the customer, for reports.")


class Systems(Section):
    """Which endpoint serves which kind of data."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    mail: EndpointName | None = Field(default=None, description="Endpoint that holds the mail.")
    calendar: EndpointName | None = Field(default=None, description="Endpoint that holds the calendars.")
    contacts: EndpointName | None = Field(default=None, description="Endpoint that holds the address books.")
    tasks: EndpointName | None = Field(default=None, description="Endpoint that holds the task lists.")

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not self.by_kind:
            raise fault("names no endpoint", "write for example {mail: ENDPOINT}")
        return self

    @property
    def by_kind(self) -> dict[Kind, str]:
        """The endpoints of the kinds that are moved; mail comes first."""
        return {kind: name for kind in Kind if (name := getattr(self, kind)) is not None}


def _for_mail(data: Any) -> Any:
    return {"mail": data} if isinstance(data, str) else data


AnySystems = Annotated[Systems, BeforeValidator(_for_mail, json_schema_input_type=EndpointName | Systems)]


class InlineMailbox(Section):
    """One mailbox, written in the plan."""

    source: Text = Field(description="Address or account name on the source; names the mailbox.")
    target: Text | None = Field(
        default=None, description="Address on the target. Default: the source through `addresses`."
    )
    into: FolderPath | None = Field(
        default=None, description="Folder of the target mailbox below which everything goes."
    )
    wave: Label | None = Field(default=None, description="Label of the mailboxes that move together.")
    merge: Merge | None = Field(
        default=None, description="Allow a target that another mailbox goes to: keep all items, or dedupe equal ones."
    )
    name: Text | None = Field(default=None, description="Display name for reports.")
    source_user: Text | None = Field(default=None, description="Login name on the source, instead of the endpoint's.")
    target_user: Text | None = Field(default=None, description="Login name on the target, instead of the endpoint's.")


class MailboxFile(Section):
    """Many mailboxes, listed in a CSV file."""

    file: Text = Field(description="CSV file, relative to the plan.")
    wave: Label | None = Field(default=None, description="Wave of the rows that name none.")
    merge: Merge | None = Field(default=None, description="As for one mailbox; applies to all rows.")


def _which(data: Any) -> str:
    return "file" if isinstance(data, dict) and "file" in data else "inline"


Entry = Annotated[Annotated[InlineMailbox, Tag("inline")] | Annotated[MailboxFile, Tag("file")], Discriminator(_which)]


class Folders(Section):
    """Which folders, and what they are called on the target."""

    include: Annotated[tuple[FolderPattern, ...], Field(strict=False)] = Field(
        default=("*",), description='Globs over the full name (levels joined by "/"), or special uses such as \\Sent.'
    )
    exclude: Annotated[tuple[FolderPattern, ...], Field(strict=False)] = Field(
        default=(), description="Folders that are left out, whatever `include` says."
    )
    rename: dict[FolderPath, FolderPath] = Field(
        default={}, description="Source folder to target folder, by full names."
    )

    @model_validator(mode="after")
    def _renames_stay_apart(self) -> Self:
        if len({target.casefold() for target in self.rename.values()}) < len(self.rename):
            raise fault("gives two folders the same name", "give each its own", "rename")
        return self


class Scope(Section):
    """What of a mailbox is wanted."""

    folders: Folders = Field(default=Folders(), description="Which folders.")
    mail_since: Day | None = Field(default=None, description="Only mail received on or after this day.")
    max_size: Size | None = Field(
        default=None, description="Larger messages are left out, mail only; decimal, e.g. 50MB."
    )
    order: Literal["newest", "oldest"] = Field(default="newest", description="Which messages are copied first.")
    repair: bool = Field(
        default=False, description="Items that the target refuses get a second, recorded, repaired attempt."
    )


class Limit(Section):
    """How much of an endpoint may be used at once."""

    connections: Annotated[int, Field(ge=1, le=MAX_CONNECTIONS)] = Field(
        default=DEFAULT_CONNECTIONS, description="Connections open at the same time."
    )


class Failures(Section):
    """How much may fail before somebody has to look."""

    items_per_mailbox: Annotated[int, Field(ge=0)] = Field(
        default=50, description="Above, the mailbox needs attention."
    )


class Include(Section):
    """What is copied beside items."""

    permissions: bool = Field(
        default=True, description="Whom else a folder is shared with, where both systems tell (RFC 4314)."
    )


class Content(Section):
    """A plan file."""

    version: Literal[1] = Field(description="Version of this format.")
    extends: Text | None = Field(
        default=None, description="Plan file, relative to this one, whose values are taken over."
    )
    name: PlanName = Field(description="Names the plan and its state.")
    customer: Customer = Field(default=Customer(), description="Whose mailboxes move.")
    endpoints: dict[EndpointName, AnyEndpoint] = Field(description="The systems, by names of your own.")
    source: AnySystems = Field(
        description="Where the mailboxes are: one endpoint for all that both sides move, or one per kind of data."
    )
    target: AnySystems = Field(
        description="Where the mailboxes go: one endpoint for all that both sides move, or one per kind of data."
    )
    addresses: dict[Text, Text] = Field(default={}, description="Domains or single addresses renamed, old to new.")
    mailboxes: Annotated[tuple[Entry, ...], Field(strict=False)] = Field(
        description="The mailboxes; the first entry that names one wins."
    )
    include: Include = Field(default=Include(), description="What is copied beside items.")
    scope: Scope = Field(default=Scope(), description="What of a mailbox is wanted.")
    limits: dict[EndpointName, Limit] = Field(default={}, description="How much of an endpoint may be used at once.")
    failures: Failures = Field(default=Failures(), description="How much may fail before somebody has to look.")
    deletions: Literal["additive", "mirror"] = Field(
        default="additive", description="What a deletion at the source does."
    )
    invitations: Literal["never"] = Field(default="never", description="Whether the target may send invitations.")

    @model_validator(mode="after")
    def _addresses_keep_their_form(self) -> Self:
        for old, new in self.addresses.items():
            if ("@" in old) != ("@" in new):
                raise fault(
                    f"maps '{old}' to '{new}'", "map a domain to a domain, an address to an address", "addresses"
                )
        return self
