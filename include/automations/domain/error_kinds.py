"""The kinds of step errors, and which of them another attempt may help."""

from __future__ import annotations

from enum import Enum


class Retried(Enum):
    """Whether a step with ``retry`` is tried again after an error of a kind."""

    YES = "yes"
    DEPENDS = "depends"
    NO = "no"


class ErrorKind(Enum):
    """A kind of error: the ``kind`` that runs show, and that ``retry.on`` may name.

    Args:
        meaning: what has happened, for the documentation; of those that depend, on what.
    """

    def __init__(self, retried: Retried, meaning: str) -> None:
        self.retried = retried
        self.meaning = meaning

    answer = (
        Retried.DEPENDS,
        "A language model's answer does not have the requested form; retried if the "
        "model answered in another form, not if its server's answer cannot be read at "
        "all.",
    )
    auth = (Retried.NO, "The other side refused our key or token.")
    blocked = (Retried.NO, "The address is not public, or not safe, so no request was sent.")
    body = (Retried.NO, "The body of an answer is not what its headers say, or cannot be stored.")
    budget = (Retried.NO, "The request could exceed the budget of the step or the run.")
    channel = (Retried.NO, "Slack has no such channel, or the app is not in it.")
    chat = (
        Retried.DEPENDS,
        "Slack refused the message; retried if the fault is Slack's: status 500 and above.",
    )
    child = (Retried.NO, "The awaited run failed or was cancelled.")
    coding = (
        Retried.DEPENDS,
        "The compression of an answer, such as gzip, is broken; retried for methods "
        "that may be repeated, such as GET and PUT.",
    )
    config = (
        Retried.NO,
        "The step's configuration is invalid after its templates were rendered, or "
        "something that it needs is not set up.",
    )
    connection = (
        Retried.DEPENDS,
        "The other side cannot be reached; retried unless its name has no address at all.",
    )
    document = (
        Retried.NO,
        "The document or its template does not exist, or the document cannot be created.",
    )
    ended = (Retried.NO, "The run ended in the meantime.")
    error = (Retried.NO, "Any other refusal by the product itself.")
    expired = (Retried.NO, "Nobody decided, answered or called back in time.")
    input = (Retried.NO, "The input of a script is too large.")
    internal = (Retried.NO, "A fault of the product; see the task's log.")
    killed = (
        Retried.NO,
        "The step's process was killed; the step was already restarted automatically, "
        "under the same key.",
    )
    limit = (Retried.NO, "A document exceeds its limit of time, memory or space.")
    mail = (
        Retried.DEPENDS,
        "The mail server refused the mail, or cannot be reached; retried unless the "
        "refusal is permanent: status 500 and above.",
    )
    memory = (Retried.NO, "A script exceeds its memory limit.")
    operator = (
        Retried.YES,
        "An Airflow operator failed, or was cancelled or marked as failed in Airflow; "
        "another attempt is another run of it.",
    )
    output = (
        Retried.NO,
        "The step's output is too large, nested too deeply, not JSON, or contains "
        "something that cannot be stored, such as a NUL character.",
    )
    provider = (Retried.NO, "No mail provider is set up.")
    quota = (Retried.NO, "The quota at a provider is used up.")
    rate_limited = (
        Retried.YES,
        "The other side accepts no more requests for a while, and the retry waits "
        "that long; also an automation that may not begin another run now.",
    )
    redirects = (Retried.NO, "Too many redirects.")
    rejected = (
        Retried.DEPENDS,
        "People or a service said no: an approval was rejected, a model refused. A "
        "mail whose recipients were all rejected is retried if each rejection is "
        "temporary.",
    )
    script = (Retried.YES, "A script threw an error, or awaits something that never happens.")
    secret = (Retried.NO, "A secret does not exist, or is named in a way that is not allowed.")
    status = (
        Retried.DEPENDS,
        "A service answered with an unexpected status; retried after 408, 425, 429, "
        "502, 503 and 504.",
    )
    template = (
        Retried.NO,
        "A template names something that does not exist, or cannot be rendered.",
    )
    timeout = (Retried.YES, "The step took longer than allowed.")
    too_large = (Retried.NO, "An answer, or a loop's results, are too large.")
    unavailable = (Retried.YES, "A provider is currently unavailable.")


RETRIED = tuple(kind.name for kind in ErrorKind if kind.retried is not Retried.NO)
"""The kinds that ``retry.on`` may name."""


def fault_of(name: str) -> str | None:
    """Why ``retry.on`` may not name a kind; None when it may."""
    if name in RETRIED:
        return None
    if name in ErrorKind.__members__:
        return f"'{name}' is never retried: another attempt would come to the same"
    return f"unknown kind '{name}'; known are {', '.join(RETRIED)}"
