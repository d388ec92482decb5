"""A definition as clients write it: ``definitions.md`` as pydantic models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, create_model, model_validator

from automations.definitions.flow_control import Concurrency, Debounce, RateLimit
from automations.definitions.triggers import Id, LiteralZone, Manual, Trigger
from automations.domain.fields import Duration, Model, Real, parse_duration
from automations.kit.ids import new_id
from automations.kit.titles import WrittenName
from automations.steps.registry import STEP_TYPES


class Retry(Model):
    """When and how often a failed step is tried again."""

    max_attempts: int = Field(
        3, ge=1, le=20, strict=True, description="Attempts in all, the first included."
    )
    backoff: Literal["fixed", "exponential"] = Field(
        "exponential", description="Whether the delay doubles after each attempt."
    )
    delay: Duration = Field("PT2S", description="Delay before the second attempt.")
    max_delay: Duration = Field(
        "PT5M", description="The longest delay; when absent, `delay` where that is longer."
    )
    on: tuple[str, ...] = Field(
        (),
        description="Kinds of errors to retry, of those that the table of errors below says are "
        "retried; all of them when empty.",
    )

    def covers(self, kind: str, attempt: int) -> bool:
        """Whether there is another attempt after the given one failed by this kind of error."""
        return attempt < self.max_attempts and (not self.on or kind in self.on)

    def delay_after(self, attempt: int) -> timedelta:
        """How long to wait after the given attempt (1 is the first) has failed."""
        base, cap = parse_duration(self.delay), parse_duration(self.max_delay)
        if "max_delay" not in self.model_fields_set:
            cap = max(base, cap)
        doubled: int = 1 if self.backoff == "fixed" else 2 ** min(attempt - 1, 30)
        return min(base * doubled, cap)


class StepBase(Model):
    """What all steps have in common."""

    id: str = Field(
        default_factory=new_id,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        strict=True,
        description="Made when absent, kept over updates; letters, digits, _ and -.",
    )
    name: WrittenName = Field(description="Shown everywhere.")
    order: int = Field(
        0,
        ge=0,
        le=100_000,
        strict=True,
        description="Place among its siblings; its place in the list when absent.",
    )
    retry: Retry | None = Field(None, description="Tried once when absent.")
    timeout: Duration | None = Field(None, description="Longest time one attempt may take.")
    on_error: Literal["fail", "continue"] | list[Step] = Field(
        "fail", description="What happens after the last attempt: fail, continue, or these steps."
    )
    disabled: bool = Field(False, strict=True, description="Left out of runs when true.")

    def may_wait(self) -> bool:
        """Whether the step, or one nested in it, may park a run."""
        step: Any = self
        return not self.disabled and (
            STEP_TYPES[step.type].waits(step.config)
            or any(inner.may_wait() for _, _, nested in nested_lists(self) for inner in nested)
        )


def _step_model(name: str) -> type[StepBase]:
    step_type = STEP_TYPES[name]
    return create_model(
        f"{step_type.Config.__name__.removesuffix('Config')}Step",
        __base__=StepBase,
        __doc__=step_type.__doc__,
        type=(Literal[name], ...),  # type: ignore[arg-type]  # the literal is made here
        config=(
            step_type.Config,
            Field(
                description="What the step does; see its type.", examples=[dict(step_type.example)]
            ),
        ),
    )


STEP_MODELS = {name: _step_model(name) for name in STEP_TYPES}
if TYPE_CHECKING:
    Step = Any
else:
    Step = Annotated[reduce(or_, STEP_MODELS.values()), Field(discriminator="type")]

_names: dict[str, Any] = {"Step": Step}
for _type in STEP_TYPES.values():
    _type.Config.model_rebuild(force=True, _types_namespace=_names)
StepBase.model_rebuild(force=True, _types_namespace=_names)
for _model in STEP_MODELS.values():
    _model.model_rebuild(force=True, _types_namespace=_names)


def _with_orders(steps: Any) -> Any:
    """Steps as a client has written them, each with an order, also those inside of others."""
    if not isinstance(steps, list):
        return steps
    return [_with_order(step, place) for place, step in enumerate(steps)]


def _with_order(step: Any, place: int) -> Any:
    if not isinstance(step, dict):
        return step
    numbered = dict(step)
    if numbered.get("order") is None:
        numbered["order"] = place
    kind, config = step.get("type"), step.get("config")
    step_type = STEP_TYPES[kind] if isinstance(kind, str) and kind in STEP_TYPES else None
    if step_type is not None and isinstance(config, dict):
        inside = [name for name in (*step_type.arms, *step_type.body) if name in config]
        numbered["config"] = {**config, **{name: _with_orders(config[name]) for name in inside}}
    if isinstance(step.get("onError"), list):
        numbered["onError"] = _with_orders(step["onError"])
    return numbered


def enabled_steps(steps: list[Any]) -> list[Any]:
    """One list's enabled steps in the order in which they run."""
    return sorted((step for step in steps if not step.disabled), key=lambda step: step.order)


def nested_lists(step: Any) -> Iterator[tuple[str, str, list[Any]]]:
    """The step lists inside a step: (name of arm or body, path of the field, steps)."""
    step_type = STEP_TYPES[step.type]
    for arm in (*step_type.arms, *step_type.body):
        steps = getattr(step.config, _attribute(step.config, arm))
        if isinstance(steps, list):
            yield arm, f"config.{arm}", steps
    if isinstance(step.on_error, list):
        yield "onError", "onError", step.on_error


def _attribute(config: Model, alias: str) -> str:
    for name, info in type(config).model_fields.items():
        if info.alias == alias:
            return name
    raise TypeError(f"{type(config).__name__} has no field '{alias}'")


def walk(steps: list[Any], path: str = "steps") -> Iterator[tuple[str, Any]]:
    """Every step of a list, nested ones too, with the path of its place in the payload."""
    for index, step in enumerate(steps):
        here = f"{path}.{index}"
        yield here, step
        for _, field, nested in nested_lists(step):
            yield from walk(nested, f"{here}.{field}")


MAX_STEPS = 1_000
"""Of one automation, those inside of others, too: Airflow has a task for most of them."""


class Budget(Model):
    """What the `ai` steps of one run may take together."""

    max_cost: Real | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="US dollars, by the public price lists; a model whose price is not known "
        "counts nothing.",
    )
    max_tokens: int | None = Field(
        None, ge=1, strict=True, description="Tokens of questions and answers."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.max_cost is None and self.max_tokens is None:
            raise ValueError("needs maxCost or maxTokens")
        return self


class Definition(Model):
    """What a version of an automation consists of."""

    name: WrittenName = Field(description="Automation name.")
    key: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$",
        strict=True,
        description="Unique in the workspace: what files of definitions know the automation by, "
        "whatever it is named.",
    )
    description: str = Field("", max_length=5_000, strict=True)
    trigger: Trigger = Field(default_factory=Manual, description="What starts a run.")
    steps: list[Step] = Field(default_factory=list, max_length=500)
    variables: dict[str, Any] = Field(
        default_factory=dict, description="First values of the run's variables."
    )
    timezone: LiteralZone | None = Field(
        None,
        description="The IANA time zone of the schedule and of delays until a wall time, where "
        "these name none; UTC when absent.",
    )
    form_id: str | None = Field(
        None, strict=True, description="The form of a form_submission trigger."
    )
    budget: Budget | None = Field(
        None, description="What the `ai` steps of a run may take together; no limit when absent."
    )
    concurrency: Concurrency | None = Field(
        None, description="How many runs may be in flight at once, whatever starts them."
    )
    rate_limit: RateLimit | None = Field(
        None, description="How many runs may begin in a time, whatever starts them."
    )
    debounce: Debounce | None = Field(
        None, description="For triggers by events: how long to wait for the last of many."
    )
    execution: Literal["airflow", "express"] = Field(
        "airflow",
        description="Who does the first steps of a run. `express`: warm workers, at once, up to "
        "the first one that may wait, is heavy, is tried again or fails; Airflow shows these and "
        "does the others. `airflow`: Airflow's workers do all of them.",
    )
    error_workflow_id: Id | None = Field(
        None,
        description="The automation that is started when a run of this one has FAILED, while it is "
        "ACTIVE; its input is the failed run's runId, workflowId, workflowName, error, failedAt "
        "and its failed step's stepId, stepName, stepType.",
    )

    @model_validator(mode="before")
    @classmethod
    def _order_is_that_of_the_list(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "steps" not in value:
            return value
        return {**value, "steps": _with_orders(value["steps"])}

    @model_validator(mode="before")
    @classmethod
    def _form_id_completes_the_trigger(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(form := value.get("formId"), str):
            return value
        trigger = value.get("trigger")
        if trigger is None:
            return {**value, "trigger": {"type": "form_submission", "formId": form}}
        if isinstance(trigger, dict) and trigger.get("type") == "form_submission":
            config = trigger.get("config")
            said = {**trigger, **config} if isinstance(config, dict) else trigger
            if "formId" not in said:
                return {**value, "trigger": {**trigger, "formId": form}}
        return value


DEFINITION: TypeAdapter[Definition] = TypeAdapter(Definition)
