"""Prefect, asked by lines of JSON: how many steps, how many runs; it answers with seconds."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from prefect import flow, task
from prefect.logging import disable_run_logger


@task
async def light(number: int) -> dict[str, bool]:
    return {"result": number >= 0}


@flow
async def chain(steps: int) -> int:
    done = [await light(number) for number in range(steps)]
    return sum(one["result"] for one in done)


async def burst(steps: int, runs: int) -> None:
    for done in await asyncio.gather(*(chain(steps) for _ in range(runs))):
        assert done == steps


with disable_run_logger():
    # The first run starts its server.
    asyncio.run(burst(1, 1))
    print("bench: ready", flush=True)
    for line in sys.stdin:
        steps, runs = json.loads(line)
        began = time.monotonic()
        asyncio.run(burst(steps, runs))
        print(f"bench: {time.monotonic() - began}", flush=True)
