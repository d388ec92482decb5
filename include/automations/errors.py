"""The errors of the domain.

* AutomationsError
  + DomainError                 an answerable refusal; becomes an HTTP answer at the boundary
    - ValidationFailed          400, names the fields
    - NotAuthenticated          401
    - SignatureRefused          401
    - NotAllowed                403
    - NotFound                  404
    - Conflict                  409
      . InProgress              the same request is being carried out
      . InUse                   ACTIVE automations would go without it
      . Unreadable              what is stored is no definition any more
    - Gone                      410
    - TooLarge                  413
    - RuleBroken                422
    - TooManyRequests           429
      . RateLimited             the automation's own limit
    - ProviderFailed            502
    - Unavailable               503
  + StepError                   a step could not do its work; ``retryable`` says whether again
    - TemplateError             a template could not be rendered
  + DatabaseUnavailable         503; our database is away, restarting or overloaded
  + DatabaseRefused             500; a bug of ours: our database does not take a statement
  + OrchestratorError           Airflow refused or could not be reached
    - OrchestratorUnavailable   not reachable now, or failing; try again
    - NotVisibleYet             the DAG version that a run needs is not there yet
    - VersionGone               nor will it ever be again
  + SettingsFault               what settings say cannot be taken; for who starts the installation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice


class AutomationsError(Exception):
    """An error of this product."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)

    @property
    def message(self) -> str:
        """The text for people."""
        return str(self.args[0])


class DomainError(AutomationsError):
    """The request cannot be carried out."""

    code = "ERROR"

    @property
    def details(self) -> dict[str, object]:
        """Machine-readable details for the error envelope."""
        return {}


MAX_NAMED = 100
"""Fields of a payload that are named: who sends thousands of wrong ones is told so."""


class ValidationFailed(DomainError):
    """The payload is invalid."""

    code = "VALIDATION_ERROR"

    def __init__(
        self, field_errors: Mapping[str, Sequence[str]], message: str | None = None
    ) -> None:
        first = next(iter(field_errors.items()), None)
        named = f"{first[0]}: {first[1][0]}" if first else None
        super().__init__(message or (f"Invalid payload: {named}" if named else None))
        named_ones = islice(field_errors.items(), MAX_NAMED)
        self.field_errors = {path: list(messages) for path, messages in named_ones}
        if (more := len(field_errors) - len(self.field_errors)) > 0:
            self.field_errors.setdefault("body", []).append(f"{more} more fields are wrong")

    @property
    def details(self) -> dict[str, object]:
        return {"fieldErrors": self.field_errors}


class NotAuthenticated(DomainError):
    """A valid API key is needed: send it as 'Authorization: Bearer sk_…'."""

    code = "UNAUTHORIZED"


class SignatureRefused(DomainError):
    """The delivery is not genuine, or too old."""

    code = "SIGNATURE_REFUSED"


class NotAllowed(DomainError):
    """The role of this API key does not allow that."""

    code = "FORBIDDEN"


class NotFound(DomainError):
    """There is no such thing."""

    code = "NOT_FOUND"


class Conflict(DomainError):
    """The current state does not allow that."""

    code = "CONFLICT"


class InProgress(Conflict):
    """A request with this Idempotency-Key is being carried out now."""

    code = "IN_PROGRESS"


class InUse(Conflict):
    """ACTIVE automations use what was to be deleted.

    Args:
        what: its kind and name.
        automations: their names.
    """

    def __init__(self, resource: str, automations: Sequence[str]) -> None:
        more = f" and {len(automations) - 5} more" if len(automations) > 5 else ""
        super().__init__(
            f"The {resource} is used by ACTIVE automations: {', '.join(automations[:5])}{more}. "
            "Pause or change them first, or delete it all the same with ?force=true."
        )
        self.automations = list(automations)

    @property
    def details(self) -> dict[str, object]:
        return {"automations": self.automations}


class Unreadable(Conflict):
    """What is stored cannot be read any more.

    Args:
        what: whose definition it is.
        reason: what is wrong with it.
    """

    def __init__(self, resource: str, reason: str) -> None:
        super().__init__(f"The definition of {resource} cannot be read any more: {reason}")
        self.reason = reason


class Gone(DomainError):
    """It is no longer available."""

    code = "GONE"


class TooLarge(DomainError):
    """The payload is too large."""

    code = "PAYLOAD_TOO_LARGE"


class RuleBroken(DomainError):
    """The data breaks a rule."""

    code = "UNPROCESSABLE"


class TooManyRequests(DomainError):
    """Too many requests; try again later."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests; try again in {retry_after} s.")
        self.retry_after = retry_after

    @property
    def details(self) -> dict[str, object]:
        return {"retryAfter": self.retry_after}


class RateLimited(TooManyRequests):
    """An automation may not have one more run now.

    Args:
        rule: the limit, for people.
    """

    def __init__(self, rule: str, retry_after: int) -> None:
        super().__init__(retry_after)
        self.rule = rule
        self.args = (f"{rule[:1].upper()}{rule[1:]}; try again in {retry_after} s.",)


class Unavailable(DomainError):
    """A part that this needs is not available now; try again."""

    code = "UNAVAILABLE"


class ProviderFailed(DomainError):
    """An outside service that this needs refused, or cannot be reached."""

    code = "PROVIDER_FAILED"

    def __init__(
        self, message: str | None = None, reasons: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.reasons = dict(reasons or {})

    @property
    def details(self) -> dict[str, object]:
        return {"reasons": self.reasons} if self.reasons else {}


class StepError(AutomationsError):
    """The step could not do its work."""

    def __init__(
        self,
        message: str | None = None,
        *,
        kind: str = "error",
        retryable: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.retry_after = retry_after


class TemplateError(StepError):
    """A template could not be rendered."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, kind="template")


class DatabaseUnavailable(AutomationsError):
    """The database is not available now."""


class DatabaseRefused(AutomationsError):
    """The database refused a statement."""


class OrchestratorError(AutomationsError):
    """Airflow refused."""


class OrchestratorUnavailable(OrchestratorError):
    """Airflow cannot be reached now."""


class NotVisibleYet(OrchestratorError):
    """Airflow does not know this version of the automation yet."""


class VersionGone(OrchestratorError):
    """Airflow has no version of the automation by which a run can go on."""


class SettingsFault(AutomationsError):
    """What settings say cannot be taken.

    Args:
        lines: each says what, and where or how it is mended.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
