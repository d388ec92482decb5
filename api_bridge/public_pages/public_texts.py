"""The texts of pages that need no account (decisions, forms), which the console uses, too."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, str] = {
    "approval.approve": "Approve",
    "approval.open": "Decide",
    "approval.reason": "Reason (optional)",
    "approval.reject": "Reject",
    "no": "No",
    "public.add": "Add another",
    "public.arrived": "Your answers have arrived. You can close this page.",
    "public.asked": "For {name}. Nothing happens until you press a button.",
    "public.callback": "A callback address",
    "public.callback_about": "A service reports here by a POST when it is done. Loading this page "
    "does nothing.",
    "public.decided.approved": "You have approved it: your decision is recorded. You can close "
    "this page.",
    "public.decided.rejected": "You have rejected it: your decision is recorded. You can close "
    "this page.",
    "public.decision": "Decision",
    "public.failed": "This did not work",
    "public.file": "At most {size} MB: {kinds}.",
    "public.file_again": "Please choose {name} again: nothing was sent yet.",
    "public.for": "For {name}.",
    "public.form": "Form",
    "public.items": "Items",
    "public.mend": "Go back, correct it, and try again: nothing was decided.",
    "public.no_answer": "No answer",
    "public.once": "The link works once, until {until}.",
    "public.remove": "Remove",
    "public.send": "Send",
    "public.signature": "Type your full name.",
    "public.thanks": "Thank you",
    "public.timezone": "Time zone: {name}",
    "public.undecided": "Some values need to be corrected; nothing was decided yet.",
    "public.unsent": "Some values need to be corrected; nothing was sent yet.",
    "value.cut": "… shortened: the API has all of it",
    "value.empty": "Nothing.",
    "value.json": "As JSON",
    "value.none": "none",
    "yes": "Yes",
}


def text(key: str, **values: object) -> str:
    """A text, with values in its places; they are escaped where it is shown."""
    return TEXTS[key].format(**values)
