"""Loops against a real database: order, names, failures, crashes, pauses."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Job, LoopCursor, Run, Wait
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Retry, Skip, Sleep
from automations.ports import Mail, MailReceipt, Notice, NoticeReceipt
from automations.services.integrations import secrets
from automations.services.runs import cancellations
from automations.services.waits import decisions
from tests.db.children import child_of, dispatch, other
from tests.db.counting import commits
from tests.db.cutting import Killed
from tests.db.delays import let_pass
from tests.db.execution.loops.roles import Outbox, Service
from tests.db.execution.loops.runs import kept, loop, mail, output, resumed
from tests.db.runs import begin, reload, step, task
from tests.db.workspace import principal
from tests.doubles import ports


class TestOrderAndNames:
    def test_the_body_runs_for_each_item_in_order_with_the_loops_names(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        body = "{{loop.index}} {{loop.item}} {{loop.first}} {{loop.last}} {{input.text}}"
        run = begin(loop(mail(body=body), over=["a", "b"]))
        assert engine.run(task(run, "loop")) == Proceed({"count": 2})
        assert outbox.bodies == ["0 a true false hello", "1 b false true hello"]
        assert [one.key for one in outbox.sent] == [
            f"{run.id}:loop:0[0]/mail",
            f"{run.id}:loop:0[1]/mail",
        ]
        done = output(run)
        assert [result["accepted"] for result in done["results"]] == [["ada@b.example"]] * 2
        assert (done["count"], done["errors"]) == (2, [])
        assert reload(run).status == "COMPLETED"
        assert kept() == 0

    def test_a_step_sees_what_earlier_ones_of_its_iteration_put_out(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        first = step("big", "condition", 0, {"expression": "loop.item > 1"})
        first["name"] = "Big?"
        second = mail(body="big: {{steps['Big?'].result}}", order=1)
        engine.run(task(begin(loop(first, second, over=[1, 2])), "loop"))
        assert outbox.bodies == ["big: false", "big: true"]

    def test_the_entries_of_an_object_are_items_with_key_and_value(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        run = begin(loop(mail(body="{{loop.item.key}}={{loop.item.value}}"), over={"a": 1, "b": 2}))
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["a=1", "b=2"]

    def test_a_loop_in_a_loop_names_the_items_around_it(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        body = (
            "{{loop.parent.parent.item.n}}{{loop.parent.item.n}}{{loop.item}} {{loop.parent.last}}"
        )
        innermost = step("c", "loop", 0, {"collection": [1, 2], "steps": [mail(body=body)]})
        inner = step("b", "loop", 0, {"collection": "{{loop.item.of}}", "steps": [innermost]})
        run = begin(loop(inner, over=[{"n": "a", "of": [{"n": "x"}]}, {"n": "b", "of": []}]))
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["ax1 true", "ax2 true"]

    def test_the_outputs_are_there_for_the_next_step(self, engine: Engine, outbox: Outbox) -> None:
        light = step("light", "condition", 0, {"expression": "true"})
        after = mail("after", body="{{steps.loop.count}} {{steps.loop.results[1].result}}", order=1)
        run = begin(loop(light, over=[1, 2]), after)
        engine.run(task(run, "loop"))
        engine.run(task(run, "after"))
        assert outbox.bodies == ["2 true"]

    def test_nothing_to_go_through_is_done_at_once(self, engine: Engine) -> None:
        run = begin(loop(mail(), over=[]))
        engine.run(task(run, "loop"))
        assert output(run) == {"count": 0, "results": [], "errors": []}

    def test_a_condition_in_the_body_chooses_and_its_stop_ends_the_iteration_only(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        choice = {
            "expression": "loop.item > 1",
            "then": [mail("yes", body="yes {{loop.item}}")],
            "else": [mail("no", body="no {{loop.item}}")],
        }
        gate = {"expression": "loop.item > 1", "stop": True}
        run = begin(
            loop(
                step("if", "condition", 0, choice),
                step("gate", "condition", 1, gate),
                mail("after", body="after {{loop.item}}", order=2),
                over=[1, 2],
            )
        )
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["no 1", "yes 2", "after 2"]
        assert output(run)["results"][0] == {"result": False}

    def test_a_loop_in_a_loop_has_its_own_item_and_sees_the_steps_around_it(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        inner = step(
            "inner",
            "loop",
            1,
            {
                "collection": "{{loop.item}}",
                "steps": [mail(body="{{loop.item}} {{steps.big.result}}")],
            },
        )
        big = step("big", "condition", 0, {"expression": "(loop.item | length) > 1"})
        run = begin(loop(big, inner, over=[["a", "b"], ["c"]]))
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["a true", "b true", "c false"]
        assert outbox.sent[1].key == f"{run.id}:loop:0[0]/inner[1]/mail"
        assert [result["count"] for result in output(run)["results"]] == [2, 1]
        assert kept() == 0


class TestFailures:
    def test_the_first_item_that_fails_fails_the_loop_by_default(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures["b"] = [StepError("gone", kind="mail")]
        run = begin(loop(mail(), over=["a", "b", "c"]))
        verdict = engine.run(task(run, "loop"))
        assert verdict == GiveUp("loop: item 1, step 'mail': gone")
        assert outbox.bodies == ["a"]
        assert output(run)["error"]["kind"] == "mail"

    def test_going_on_collects_what_failed(self, engine: Engine, outbox: Outbox) -> None:
        outbox.failures["b"] = [StepError("gone", kind="mail")]
        run = begin(loop(mail(), over=["a", "b", "c"], onItemError="continue"))
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert outbox.bodies == ["a", "c"]
        done = output(run)
        assert done["errors"] == [
            {"index": 1, "error": {"message": "step 'mail': gone", "kind": "mail"}}
        ]
        assert done["results"][1] is None
        assert done["results"][2]["provider"] == "test"

    def test_a_missing_name_is_told_with_item_step_and_field(self, engine: Engine) -> None:
        run = begin(loop(mail(body="{{loop.item.name}}"), over=[{"name": "a"}, {}]))
        verdict = engine.run(task(run, "loop"))
        assert isinstance(verdict, GiveUp)
        assert "item 1, step 'mail', config.body" in verdict.error

    def test_a_step_in_the_body_is_tried_again_or_passed_over_as_it_says(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures = {
            "a": [StepError("busy", retryable=True)],
            "b": [StepError("gone")],
            "b2": [StepError("worse")],
        }
        retry = {"maxAttempts": 2, "delay": "PT0.01S"}
        rescue = [mail("rescue", body="rescued {{loop.item}}: {{steps.second.error.message}}")]
        run = begin(
            loop(
                mail("first", retry=retry, onError="continue"),
                mail("second", body="{{loop.item}}2", order=1, onError=rescue),
                over=["a", "b"],
            )
        )
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["a", "a2", "rescued b: worse"]

    def test_an_attempt_anew_of_the_loop_goes_on_at_the_item_that_failed(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures["b"] = [StepError("busy", retryable=True)]
        looping = {**loop(mail(), over=["a", "b", "c"]), "retry": {"maxAttempts": 2}}
        run = begin(looping)
        assert isinstance(engine.run(task(run, "loop")), Retry)
        let_pass(run, "loop")
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert outbox.bodies == ["a", "b", "c"]

    def test_a_collection_with_too_many_items_is_refused(self, engine: Engine) -> None:
        verdict = engine.run(task(begin(loop(mail(), over=[1, 2, 3], maxItems=2)), "loop"))
        assert isinstance(verdict, GiveUp)
        assert "3 items" in verdict.error

    def test_a_run_that_is_cancelled_meanwhile_stops_the_loop(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        run = begin(loop(mail(), over=["a", "b", "c"]))
        sending = outbox.send

        def cancelling(mail: Mail) -> MailReceipt:
            cancellations.cancel(principal(run.workspace_id, name="ada"), run.workflow_id, run.id)
            return sending(mail)

        outbox.send = cancelling  # type: ignore[method-assign]
        assert isinstance(engine.run(task(run, "loop")), Skip)
        assert outbox.bodies == ["a"]


class TestCrashes:
    def test_a_loop_goes_on_at_the_step_at_which_its_process_was_killed(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures["c second"] = [Killed()]
        run = begin(
            loop(
                mail("first", body="{{loop.item}} first"),
                mail("second", body="{{loop.item}} second", order=1),
                over=["a", "b", "c", "d"],
            )
        )
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        expected = [f"{item} {number}" for item in "abcd" for number in ("first", "second")]
        assert outbox.bodies == expected
        assert output(run)["count"] == 4
        assert all(result["provider"] == "test" for result in output(run)["results"])

    def test_a_loop_goes_on_after_a_real_kill(
        self, engine: Engine, outbox: Outbox, tmp_path: Path
    ) -> None:
        run = begin(loop(mail(), over=["a", "b", "c", "d"]))
        sent = tmp_path / "sent"

        def deadly(mail: Mail) -> MailReceipt:
            if mail.body == "c":
                os.kill(os.getpid(), signal.SIGKILL)
            with sent.open("a") as file:
                file.write(mail.body)
            return MailReceipt("<id>", "test", mail.to, ())

        sending, outbox.send = outbox.send, deadly  # type: ignore[method-assign]
        worker = multiprocessing.get_context("fork").Process(
            target=engine.run, args=(task(run, "loop"),)
        )
        worker.start()
        worker.join(60)
        outbox.send = sending  # type: ignore[method-assign]
        assert worker.exitcode == -signal.SIGKILL
        assert sent.read_text() == "ab"
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert outbox.bodies == ["c", "d"]
        assert output(run)["count"] == len(output(run)["results"]) == 4

    def test_an_effect_that_was_not_recorded_is_repeated_under_the_same_key(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        sending = outbox.send

        def dying(mail: Mail) -> MailReceipt:
            sending(mail)
            outbox.send = sending  # type: ignore[method-assign]
            raise Killed

        outbox.send = dying  # type: ignore[method-assign]
        run = begin(loop(mail(), over=["a", "b"]))
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        engine.run(task(run, "loop"))
        assert [one.key.rpartition(":")[2] for one in outbox.sent] == [
            "0[0]/mail",
            "0[0]/mail",
            "0[1]/mail",
        ]

    def test_a_loop_in_a_loop_goes_on_in_the_middle_of_both(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures["d"] = [Killed()]
        inner = step("inner", "loop", 0, {"collection": "{{loop.item}}", "steps": [mail()]})
        run = begin(loop(inner, over=[["a", "b"], ["c", "d", "e"]]))
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["a", "b", "c", "d", "e"]
        assert [len(result["results"]) for result in output(run)["results"]] == [2, 3]
        assert kept() == 0

    def test_a_clear_in_airflow_does_the_whole_loop_anew(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        run = begin(loop(mail(), over=["a"]))
        engine.run(task(run, "loop"))
        engine.run(task(run, "loop", generation=1))
        assert [one.key.rpartition(":")[2] for one in outbox.sent] == ["0[0]/mail", "1[0]/mail"]


class TestConcurrency:
    def test_several_items_are_worked_on_at_once_and_results_keep_their_order(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.together = threading.Barrier(3)
        run = begin(loop(mail(), over=list("abcdef"), concurrency=3))
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert sorted(outbox.bodies) == list("abcdef")
        assert [result["messageId"].rpartition(":")[2] for result in output(run)["results"]] == [
            f"0[{index}]/mail>" for index in range(6)
        ]

    def test_a_crash_repeats_nothing_that_was_recorded(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        outbox.failures["e"] = [Killed()]
        run = begin(loop(mail(), over=list("abcdefgh"), concurrency=2))
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        engine.run(task(run, "loop"))
        assert sorted(outbox.bodies) == list("abcdefgh")


class TestWaits:
    def test_a_delay_in_the_body_parks_the_loop_once_for_each_item(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        delay = step("wait", "delay", 1, {"duration": "PT1H"})
        run = begin(loop(mail(), delay, mail("after", "{{loop.item}}!", 2), over=["a", "b"]))
        for sent in (["a"], ["a", "a!", "b"]):
            parked = engine.run(task(run, "loop"))
            assert isinstance(parked, Sleep)
            assert outbox.bodies == sent
            assert reload(run).status == "PAUSED"
            decisions.resume(
                principal(run.workspace_id, name="key"), run.id, decision=None, data=None
            )
            last = engine.resume(task(run, "loop"), parked.wait_id, None)
        assert isinstance(last, Proceed)
        assert outbox.bodies == ["a", "a!", "b", "b!"]

    GROW = "for (const n of [1, 2]) variables.todo.push(input.loop.item + n)"

    def test_the_items_are_taken_once_whatever_becomes_of_them_in_its_pauses(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        grow = step("grow", "code", 0, {"code": self.GROW})
        delay = step("wait", "delay", 1, {"duration": "PT1H"})
        looping = loop(grow, delay, mail(order=2), over="{{variables.todo}}")
        run = begin(looping)
        with unit_of_work() as session:
            session.get_one(Run, run.id).variables = {"todo": ["a", "b"]}
        assert isinstance(resumed(engine, run), Proceed)
        assert outbox.bodies == ["a", "b"]
        assert output(run)["count"] == 2
        assert reload(run).variables["todo"] == ["a", "b", "a1", "a2", "b1", "b2"]

    def test_a_loop_goes_on_though_its_collection_is_gone(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        gone = step("gone", "code", 0, {"code": "variables.todo = null"})
        delay = step("wait", "delay", 1, {"duration": "PT1H"})
        after = mail(body="{{loop.item.key}} {{loop.item.value}}", order=2)
        run = begin(loop(gone, delay, after, over="{{variables.todo}}"))
        with unit_of_work() as session:
            session.get_one(Run, run.id).variables = {"todo": {"k": "v"}}
        assert isinstance(resumed(engine, run), Proceed)
        assert outbox.bodies == ["k v"]

    def test_so_are_those_of_a_loop_in_a_loop(self, engine: Engine, outbox: Outbox) -> None:
        grow = step("grow", "code", 0, {"code": self.GROW})
        delay = step("wait", "delay", 1, {"duration": "PT1H"})
        inner = step(
            "inner",
            "loop",
            0,
            {"collection": "{{variables.todo}}", "steps": [grow, delay, mail(order=2)]},
        )
        run = begin(loop(inner, over=[1]))
        with unit_of_work() as session:
            session.get_one(Run, run.id).variables = {"todo": ["a", "b"]}
        assert isinstance(resumed(engine, run), Proceed)
        assert outbox.bodies == ["a", "b"]
        assert kept() == 0

    def test_a_crash_and_another_attempt_change_the_items_as_little(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        grow = step("grow", "code", 0, {"code": self.GROW})
        looping = loop(mail(), grow | {"order": 1}, over="{{variables.todo}}")
        run = begin(looping | {"retry": {"maxAttempts": 2}})
        with unit_of_work() as session:
            session.get_one(Run, run.id).variables = {"todo": ["a", "b", "c"]}
        outbox.failures = {"b": [Killed()], "c": [StepError("busy", retryable=True)]}
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        assert isinstance(engine.run(task(run, "loop")), Retry)
        let_pass(run, "loop")
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert outbox.bodies == ["a", "b", "c"]

    def test_items_with_a_secret_are_written_nowhere(self, engine: Engine, outbox: Outbox) -> None:
        delay = step("wait", "delay", 0, {"duration": "PT1H"})
        run = begin(loop(delay, mail(order=1), over=["{{secret.KEY}}"]))
        secrets.put(run.workspace_id, "KEY", "hush-hush")
        parked = engine.run(task(run, "loop"))
        with unit_of_work() as session:
            assert session.scalars(select(LoopCursor.items)).all() == [None]
        assert isinstance(resumed(engine, run, parked), Proceed)
        assert outbox.bodies == ["hush-hush"]

    def test_an_answer_is_given_to_the_step_that_asked_and_only_once(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        ask = step("ask", "approval", 0, {"message": "{{loop.item}}?", "onReject": "continue"})
        run = begin(
            loop(ask, mail(body="{{loop.item}} {{steps.ask.decision}}", order=1), over=["a", "b"])
        )
        first = engine.run(task(run, "loop"))
        assert isinstance(first, Sleep)
        decisions.resume(
            principal(run.workspace_id, name="ada"), run.id, decision="approved", data=None
        )
        second = engine.resume(task(run, "loop"), first.wait_id, None)
        assert isinstance(second, Sleep)
        assert second.wait_id != first.wait_id
        assert engine.resume(task(run, "loop"), first.wait_id, None) == second
        decisions.resume(
            principal(run.workspace_id, name="bob"), run.id, decision="rejected", data=None
        )
        assert isinstance(engine.resume(task(run, "loop"), second.wait_id, None), Proceed)
        assert outbox.bodies == ["a approved", "b rejected"]
        with unit_of_work() as session:  # Airflow's own page does not ask, so it is not told
            assert "answer_wait" not in set(session.scalars(select(Job.kind)))

    def test_a_decision_that_nobody_takes_expires(self, engine: Engine) -> None:
        ask = step("ask", "approval", 0, {"message": "?", "onExpire": "continue"})
        run = begin(loop(ask, over=["a"]))
        parked = engine.run(task(run, "loop"))
        assert isinstance(parked, Sleep)
        with unit_of_work() as session:
            past = datetime.now(UTC) - timedelta(seconds=1)
            session.execute(update(Wait).where(Wait.id == parked.wait_id).values(due_at=past))
        engine.resume(task(run, "loop"), parked.wait_id, None)
        assert output(run)["results"][0]["decision"] == "expired"

    def test_each_iteration_hands_out_a_callback_of_its_own(
        self, engine: Engine, service: Service
    ) -> None:
        calling = {
            "method": "POST",
            "url": "https://a.example",
            "waitForCallback": True,
            "body": {"report": "{{callback.url}}"},
        }
        run = begin(loop(step("call", "http_request", 0, calling), over=["a", "b"]))
        parked = engine.run(task(run, "loop"))
        for state in ("one", "two"):
            assert isinstance(parked, Sleep)
            decisions.receive(service.token, {"state": state})
            parked = engine.resume(task(run, "loop"), parked.wait_id, None)
        assert [result["callback"]["state"] for result in output(run)["results"]] == ["one", "two"]
        assert len(service.requests) == 2

    def test_a_loop_waits_for_the_runs_that_its_body_starts(self, engine: Engine) -> None:
        call = {"workflowId": "{{input.other}}", "input": {"n": 1}, "waitForCompletion": True}
        inner = {"collection": [1], "steps": [step("call", "run_workflow", 0, call)]}
        run = begin(loop(step("inner", "loop", 0, inner), over=["a"]))
        workflow = other(run.workspace_id)
        with unit_of_work() as session:
            session.execute(update(Run).where(Run.id == run.id).values(input={"other": workflow}))
        parked = engine.run(task(run, "loop"))
        assert isinstance(parked, Sleep)
        assert reload(run).status == "WAITING_FOR_CHILD"
        engine.run(task(child_of(run), "check"))
        dispatch()
        assert isinstance(engine.resume(task(run, "loop"), parked.wait_id, None), Proceed)
        assert output(run)["results"][0]["results"][0]["status"] == "COMPLETED"

    def test_a_crash_after_the_answer_does_not_ask_again(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        ask = step("ask", "approval", 0, {"message": "?"})
        run = begin(loop(ask, mail(order=1), over=["a", "b"]))
        outbox.failures["a"] = [Killed()]
        parked = engine.run(task(run, "loop"))
        assert isinstance(parked, Sleep)
        decisions.resume(
            principal(run.workspace_id, name="ada"), run.id, decision="approved", data=None
        )
        with pytest.raises(Killed):
            engine.resume(task(run, "loop"), parked.wait_id, None)
        again = engine.run(task(run, "loop"))
        assert again == Sleep(parked.wait_id, again.until)  # type: ignore[union-attr]
        second = engine.resume(task(run, "loop"), parked.wait_id, None)
        assert isinstance(second, Sleep)
        assert outbox.bodies == ["a"]
        with unit_of_work() as session:
            assert len(list(session.scalars(select(Wait).where(Wait.run_id == run.id)))) == 2


class TestVariables:
    COUNT = "variables.n = (variables.n || 0) + 1; variables.last = input.loop.item"

    def test_what_a_script_sets_is_known_to_the_steps_behind_it_in_the_loop_and_after(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        count = step("count", "code", 0, {"code": self.COUNT})
        after = mail("after", body="{{variables.n}} {{variables.last}}", order=1)
        run = begin(loop(count, mail(body="{{variables.n}}", order=1), over=["a", "b"]), after)
        engine.run(task(run, "loop"))
        engine.run(task(run, "after"))
        assert outbox.bodies == ["1", "2", "2 b"]
        assert reload(run).variables == {
            "limit": 5,
            "triggerType": "manual",
            "n": 2,
            "last": "b",
        }

    def test_a_loop_in_a_loop_sets_them_too(self, engine: Engine, outbox: Outbox) -> None:
        count = step("count", "code", 0, {"code": self.COUNT})
        inner = step("inner", "loop", 0, {"collection": "{{loop.item}}", "steps": [count]})
        engine.run(
            task(
                begin(loop(inner, mail(body="{{variables.n}}", order=1), over=[[1, 2], [3]])),
                "loop",
            )
        )
        assert outbox.bodies == ["2", "3"]

    def test_a_crash_neither_loses_nor_doubles_them(self, engine: Engine, outbox: Outbox) -> None:
        outbox.failures["3"] = [Killed()]
        count = step("count", "code", 0, {"code": self.COUNT})
        run = begin(loop(count, mail(body="{{variables.n}}", order=1), over=["a", "b", "c", "d"]))
        with pytest.raises(Killed):
            engine.run(task(run, "loop"))
        assert reload(run).variables["n"] == 3
        engine.run(task(run, "loop"))
        assert outbox.bodies == ["1", "2", "3", "4"]
        assert reload(run).variables["n"] == 4

    def test_a_pause_keeps_them(self, engine: Engine, outbox: Outbox) -> None:
        count = step("count", "code", 0, {"code": self.COUNT})
        ask = step("ask", "approval", 1, {"message": "{{variables.n}}?"})
        run = begin(loop(count, ask, mail(body="{{variables.n}}", order=2), over=["a"]))
        parked = engine.run(task(run, "loop"))
        assert isinstance(parked, Sleep)
        assert reload(run).variables["n"] == 1
        decisions.resume(
            principal(run.workspace_id, name="ada"), run.id, decision="approved", data=None
        )
        engine.resume(task(run, "loop"), parked.wait_id, None)
        assert outbox.bodies == ["1"]

    def test_what_items_at_once_set_is_all_there(self, engine: Engine) -> None:
        note = step("note", "code", 0, {"code": "variables['of' + input.loop.item] = true"})
        run = begin(loop(note, over=list("abcdef"), concurrency=3))
        engine.run(task(run, "loop"))
        assert {f"of{item}" for item in "abcdef"} <= reload(run).variables.keys()


class TestCommits:
    def test_an_effect_and_what_led_to_it_are_recorded_by_one_commit(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        light = step("light", "condition", 0, {"expression": "loop.item >= 0"})
        run = begin(loop(light, mail(order=1), over="{{range(100)}}"))
        with commits() as made:
            engine.run(task(run, "loop"))
        assert len(outbox.sent) == 100
        assert 100 <= len(made) <= 110

    def test_who_comes_while_others_are_recorded_shares_the_next_commit(
        self, engine: Engine, outbox: Outbox
    ) -> None:
        run = begin(loop(mail(), over="{{range(200)}}", concurrency=10))
        outbox.together = threading.Barrier(10)
        with commits() as made:
            engine.run(task(run, "loop"))
        assert len(outbox.sent) == 200
        assert len(made) < 150

    def test_steps_whose_repeat_changes_nothing_are_recorded_together_and_survive_a_crash(
        self, database: str, outbox: Outbox
    ) -> None:
        notices: list[str] = []

        class Notifier:
            def notify(self, notice: Notice) -> NoticeReceipt:
                if notice.title == "70":
                    notices.append(notice.key)
                    if notices.count(notice.key) == 1:
                        raise Killed
                notices.append(notice.key)
                return NoticeReceipt((notice.key,), ())

        engine = Engine(ports(notifier=Notifier()))
        tell = {"title": "{{loop.item}}", "message": "x", "userIds": ["u"]}
        run = begin(loop(step("tell", "notification", 0, tell), over="{{range(100)}}"))
        with commits() as made, pytest.raises(Killed):
            engine.run(task(run, "loop"))
        assert len(made) < 10
        assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert len(set(notices)) == 100  # what was repeated came under the same keys
        assert output(run)["count"] == 100


@pytest.mark.slow
class TestTenThousand:
    def test_ten_thousand_light_iterations_take_few_commits_and_little_memory(
        self, engine: Engine
    ) -> None:
        light = step("light", "condition", 0, {"expression": "loop.item % 2 == 0"})
        run = begin(loop(light, over="{{range(10000)}}"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with commits() as made:
            assert isinstance(engine.run(task(run, "loop")), Proceed)
        assert len(made) < 10_000 / 10
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
        done = output(run)
        assert done["count"] == len(done["results"]) == 10_000
        assert [result["result"] for result in done["results"][:3]] == [True, False, True]
        assert kept() == 0
