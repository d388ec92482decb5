"""What filters, predicates and functions of one rendering share."""

from __future__ import annotations

from dataclasses import dataclass

from automations.domain.template_language.meter import Meter


@dataclass(frozen=True, slots=True)
class Run:
    """One rendering.

    Args:
        markup: whether what is inserted is escaped, and texts may be marked as safe.
        mrkdwn: whether that is escaped for Slack, and not for HTML.
    """

    meter: Meter
    markup: bool = False
    mrkdwn: bool = False
