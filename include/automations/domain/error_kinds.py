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
        "A language model's answer has not the form that was asked for; again when it gave another "
        "one, not when its server cannot be understood at all.",
    )
    auth = (Retried.NO, "The other side refuses our key or token.")
    blocked = (Retried.NO, "The address is not public, or not safe, and so not asked.")
    body = (Retried.NO, "The body of an answer is not what its headers say, or cannot be kept.")
    budget = (Retried.NO, "It could cost more than the step or the run may.")
    channel = (Retried.NO, "Slack has no such channel, or the app is not in it.")
    chat = (
        Retried.DEPENDS,
        "Slack refuses the message; again when the fault is at Slack: status 500 and above.",
    )
    child = (Retried.NO, "The run that was waited for has failed or was cancelled.")
    coding = (
        Retried.DEPENDS,
        "An answer's gzip or the like is broken; again for methods that may be repeated, such as "
        "GET and PUT.",
    )
    config = (
        Retried.NO,
        "What the step is told does not fit, after its templates were filled in, or what it needs "
        "is not set up.",
    )
    connection = (
        Retried.DEPENDS,
        "The other side cannot be reached; again unless its name has no address at all.",
    )
    document = (Retried.NO, "The document or its template is not there, or it cannot be made.")
    ended = (Retried.NO, "The run has ended meanwhile.")
    error = (Retried.NO, "Another refusal of the product's own.")
    expired = (Retried.NO, "Nobody has decided, answered or called in time.")
    input = (Retried.NO, "A script is given more than it may be.")
    internal = (Retried.NO, "A fault of the product; the log of the task says more.")
    killed = (
        Retried.NO,
        "The step's process was killed; it was begun again by itself before, under the same key.",
    )
    limit = (Retried.NO, "A document takes more time, memory or room than it may.")
    mail = (
        Retried.DEPENDS,
        "The mail server refuses the mail, or cannot be reached; again unless it says that it "
        "never will, by a status of 500 and above.",
    )
    memory = (Retried.NO, "A script takes more memory than it may.")
    operator = (
        Retried.YES,
        "An operator of Airflow has failed, or was cancelled or marked as failed in Airflow; "
        "another attempt is another run of it.",
    )
    output = (
        Retried.NO,
        "What the step puts out is too large, nested too deep, no JSON, or holds what cannot be "
        "kept, such as a NUL character.",
    )
    provider = (Retried.NO, "No provider of mail is set up.")
    quota = (Retried.NO, "What was paid for at a provider is used up.")
    rate_limited = (
        Retried.YES,
        "The other side takes no more for a while, and is given that while; also an automation "
        "that may not begin one more run now.",
    )
    redirects = (Retried.NO, "An address leads from one to the next without an end.")
    rejected = (
        Retried.DEPENDS,
        "People or a service have said no: an approval was rejected, a model refused. A mail whose "
        "recipients were all rejected is sent again when each was for the time being.",
    )
    script = (Retried.YES, "A script has thrown an error, or what it awaits never happens.")
    secret = (Retried.NO, "A secret is not there, or is named in a way that is not allowed.")
    status = (
        Retried.DEPENDS,
        "A service answers with another status than expected; again after 408, 425, 429, 502, 503 "
        "and 504.",
    )
    template = (Retried.NO, "A template names what is not there, or cannot be filled in.")
    timeout = (Retried.YES, "It has taken longer than it may.")
    too_large = (Retried.NO, "An answer, or a loop's results, are larger than they may be.")
    unavailable = (Retried.YES, "A provider is not available now.")


RETRIED = tuple(kind.name for kind in ErrorKind if kind.retried is not Retried.NO)
"""The kinds that ``retry.on`` may name."""


def fault_of(name: str) -> str | None:
    """Why ``retry.on`` may not name a kind; None when it may."""
    if name in RETRIED:
        return None
    if name in ErrorKind.__members__:
        return f"'{name}' is never retried: another attempt would come to the same"
    return f"unknown kind '{name}'; known are {', '.join(RETRIED)}"
