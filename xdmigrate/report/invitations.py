"""What is told about invitations: a canary's facts, and what each endpoint's promise is worth. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import tzinfo

from xdmigrate.contract import Finding, Promise
from xdmigrate.report.canary import STEPS, Act, Observed, Sighting, Standing, Verdict, standing, verdict
from xdmigrate.report.facts import moment
from xdmigrate.report.words import clock
from xdmigrate_state.rows import CanaryRow

COMMAND = "xdmigrate canary PLAN --endpoint {endpoint} --mailbox ADDRESS --to ADDRESS"


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """One canary, or with `dry_run` what it would do."""

    plan: str
    endpoint: str
    organizer: str
    attendee: str
    invited: tuple[str, ...]  # the attendee's addresses
    mail: tuple[str, ...]  # the endpoints on which the attendee's mail was looked at
    server: str
    schedules: bool
    remnants: int = 0  # events of an earlier one that were found
    observed: Observed = field(default_factory=Observed)
    dry_run: bool = False

    @property
    def verdict(self) -> Verdict:
        """What is proved."""
        return verdict(self.observed)

    def to_json(self) -> dict[str, object]:
        told: dict[str, object] = {
            name: getattr(self, name)
            for name in ("plan", "endpoint", "organizer", "attendee", "server", "schedules", "remnants", "dry_run")
        }
        told |= {"mail": list(self.mail), "invited": list(self.invited)}
        if self.dry_run:
            return told
        acts = {name: asdict(getattr(self.observed, name)) for name in ("writing", "removal")}
        return {**told, "verdict": self.verdict.value, "mailed": self.observed.mailed, **acts, "advice": self.advice}

    @property
    def advice(self) -> str:
        """What to write into the plan."""
        return ADVICE[self.verdict].format(endpoint=self.endpoint)

    def lines(self) -> list[str]:
        """One line for each fact."""
        says = "says that it sends invitations" if self.schedules else "does not say that it sends invitations"
        told = [f"server of {self.endpoint}: {self.server or 'without a name'}; it {says}"]
        if self.dry_run:
            left = f"; {self.remnants} events of an earlier canary would be removed" if self.remnants else ""
            return [
                *told,
                f"would write two events as {self.organizer} to {', '.join(self.invited)}, and remove them{left}",
            ]
        if self.remnants:
            told.append(f"{self.remnants} events of an earlier canary were removed first")
        told += [_act("writing", self.observed.writing), _act("removal", self.observed.removal)]
        told.append(f"no event is left; mails about them stay with {self.attendee}")
        return [*told, f"{self.verdict.value.upper()}: {self.advice}"]


ADVICE = {
    Verdict.SILENT: "the server invites, and SCHEDULE-AGENT=CLIENT keeps it silent: write `scheduling: silent` at "
    "endpoint {endpoint}, and attendees are kept",
    Verdict.NOT_SILENT: "the server sends although it is asked not to: switch its sending off and write "
    "`scheduling: off` at endpoint {endpoint}, or leave `scheduling` out: attendees go into the description",
    Verdict.NOTHING: "nothing arrived, so nothing is proved: if the sending is switched off on purpose, write "
    "`scheduling: off` at endpoint {endpoint}; else try another address, or a longer --wait",
    Verdict.UNKNOWN: "what arrived came too late to prove anything: run it again with a longer --wait; leave "
    "`scheduling` out at endpoint {endpoint} until then",
}


def _act(name: str, act: Act) -> str:
    if not act.ended:
        return f"{name}: not watched, as all is known"
    return f"{name}: the control {_arrived(act.control)}, the canary {_arrived(act.canary)}"


def _arrived(seen: Sighting) -> str:
    places = [word for word, is_there in (("by mail", seen.mail), ("in the calendar", seen.calendar)) if is_there]
    return f"arrived {' and '.join(places)}" if places else "did not arrive"


# --- promises -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PromiseFacts:
    """What the plan promises about an endpoint, and the last word of a canary there."""

    endpoint: str
    promise: Promise
    last: CanaryRow | None = None

    @property
    def standing(self) -> Standing:
        """What the promise is worth."""
        if self.last is None:
            return standing(self.promise, None)
        return standing(self.promise, Verdict(self.last.verdict), mailed=self.last.mailed)

    @property
    def step(self) -> int:
        """Which of the three steps the plan asks for; a server that does not schedule needs none."""
        return STEPS[self.promise]

    @property
    def proved(self) -> float | None:
        """When the newest canary proved what the plan promises; None where none did."""
        return self.last.at if self.last is not None and self.standing is Standing.PROVED else None

    def brief(self, zone: tzinfo) -> str:
        """The step and its proof, in a few words."""
        return f"{self.endpoint}: step {self.step} of 3, {STEP_WORDS[self.step]}; {self._proof(zone)}"

    def _proof(self, zone: tzinfo) -> str:
        asked = f"`scheduling: {self.promise.value}`"
        at = clock(self.last.at, zone) if self.last is not None else ""
        words = {
            Standing.NONE: "nothing is promised",
            Standing.STATED: f"only the plan says so ({asked})",
            Standing.PROVED: f"proved by the canary of {at} ({asked})",
            Standing.UNPROVED: f"not proved ({asked}): sync refuses to begin",
            Standing.REFUTED: f"refuted by the canary of {at} ({asked}): sync refuses to begin",
        }
        return words[self.standing]

    @property
    def text(self) -> str:
        """In one line."""
        return TEXTS[self.standing].format(promise=self.promise.value, endpoint=self.endpoint, told=self._told)

    @property
    def remedy(self) -> str:
        """What to do about it; empty when nothing has to be done."""
        return REMEDIES.get(self.standing, "").format(command=COMMAND.format(endpoint=self.endpoint))

    @property
    def finding(self) -> Finding:
        """For `check`."""
        told = (self.standing.value,)
        return Finding("invitations", self.standing.is_safe, self.text, remedy=self.remedy, names=told)

    @property
    def _told(self) -> str:
        if self.last is None:
            return "no canary was sent"
        where = f" (server: {self.last.server})" if self.last.server else ""
        return f"canary of {moment(self.last.at)}: {self.last.verdict}{where}"

    def to_json(self) -> dict[str, object]:
        last = self.last and {**asdict(self.last), "at": moment(self.last.at)}
        told = {"endpoint": self.endpoint, "promise": self.promise.value, "standing": self.standing.value}
        return {**told, "step": self.step, "proved": moment(self.proved), "text": self.text, "canary": last}


STEP_WORDS = {
    1: "the server's sending is switched off",
    2: "events are written with SCHEDULE-AGENT=CLIENT",
    3: "attendees go into the description where the server sends",
}


TEXTS = {
    Standing.NONE: "{endpoint}: the plan promises nothing about invitations; {told}",
    Standing.STATED: "{endpoint}: only the plan says that no invitations are sent (`scheduling: {promise}`); {told}",
    Standing.PROVED: "{endpoint}: proved that it can be kept silent (`scheduling: {promise}`); {told}",
    Standing.UNPROVED: "{endpoint}: `scheduling: {promise}` without a canary's proof; {told}",
    Standing.REFUTED: "{endpoint}: `scheduling: {promise}` is not true, the server sends; {told}",
}
REMEDIES = {
    Standing.UNPROVED: "prove it with `{command}`, or take `scheduling` out of the plan; if you proved it in another "
    "way, write `scheduling: silent-by-hand`",
    Standing.REFUTED: "take `scheduling` out of the plan, or switch the server's sending off and send another canary: "
    "`{command}`",
}
