"""Spending of runs on language models: implements the port ``Spending`` with our own database."""

from __future__ import annotations

from decimal import Decimal

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.definitions.model import Budget
from automations.errors import StepError
from automations.ports import NOTHING, TokenUsage
from automations.services.workflows.definitions import load


class RunSpending:
    """Counts in the run's own row; of several that ask at once, none overdraws the budget."""

    def reserve(self, run_id: str, reservation: TokenUsage | None) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, run_id)
            budget = load(session, run.workflow_id, run.version).definition.budget
            if budget is None:
                amount = NOTHING if reservation is None else reservation
                runs.spend(session, run_id, amount.tokens, amount.cost or Decimal(0))
                return
            if reservation is None:
                raise StepError(
                    "config.maxTokens is needed to keep the budget of the run.", kind="budget"
                )
            limit = None if budget.max_cost is None else Decimal(str(budget.max_cost))
            cost = reservation.cost or Decimal(0)
            if not runs.spend(session, run_id, reservation.tokens, cost, budget.max_tokens, limit):
                session.refresh(run)
                raise StepError(_too_much(run, budget, reservation), kind="budget")

    def settle(self, run_id: str, reservation: TokenUsage | None, spent: TokenUsage) -> None:
        reserved = NOTHING if reservation is None else reservation
        cost = (spent.cost or Decimal(0)) - (reserved.cost or Decimal(0))
        with unit_of_work() as session:
            runs.spend(session, run_id, spent.tokens - reserved.tokens, cost)


def _too_much(run: Run, budget: Budget, reservation: TokenUsage) -> str:
    tokens = budget.max_tokens
    if tokens is not None and run.model_tokens + reservation.tokens > tokens:
        left = max(tokens - run.model_tokens, 0)
        return (
            f"The answer could take {reservation.tokens} tokens, and of the run's budget of "
            f"{tokens} (budget.maxTokens) {left} are left."
        )
    dollars = Decimal(str(budget.max_cost))
    return (
        f"The answer could cost ${reservation.cost:.6f}, and of the run's budget of ${dollars:f} "
        f"(budget.maxCost) ${max(dollars - run.model_cost, Decimal(0)):.6f} are left."
    )
