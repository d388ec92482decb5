"""DBOS, asked by lines of JSON: how many steps, how many runs; it answers with seconds."""

from __future__ import annotations

import json
import os
import sys
import time

from dbos import DBOS

DBOS(config={"name": "bench", "system_database_url": os.environ["DATABASE"]})


@DBOS.step()
def light(number: int) -> dict[str, bool]:
    return {"result": number >= 0}


@DBOS.workflow()
def chain(steps: int) -> int:
    return sum(light(number)["result"] for number in range(steps))


DBOS.launch()
print("bench: ready", flush=True)
for line in sys.stdin:
    steps, runs = json.loads(line)
    began = time.monotonic()
    going = [DBOS.start_workflow(chain, steps) for _ in range(runs)]
    for one in going:
        assert one.get_result() == steps
    print(f"bench: {time.monotonic() - began}", flush=True)
