"""The state that filters, predicates and functions of one rendering share."""

from __future__ import annotations

from dataclasses import dataclass

from automations.domain.template_language.meter import Meter


@dataclass(frozen=True, slots=True)
class Run:
    """One rendering.

    Args:
        markup: whether what is inserted is escaped, and texts may be marked as safe.
        mrkdwn: whether that is escaped for Slack, and not for HTML.
        as_rules: whether values are compared as the rules of conditions do.
    """

    meter: Meter
    markup: bool = False
    mrkdwn: bool = False
    as_rules: bool = False
