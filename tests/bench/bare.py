"""The yardstick for the API: FastAPI's own way to read or write one row, and nothing else."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from sqlalchemy import create_engine, text

app = FastAPI()
engine = create_engine(os.environ["AUTOMATIONS_DATABASE_DSN"], pool_size=40)

with engine.begin() as connection:
    connection.execute(text("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, t text)"))


@app.get("/row")
def read() -> dict[str, Any]:
    with engine.begin() as connection:
        row = connection.execute(text("SELECT id, slug, name FROM workspace LIMIT 1")).one()
    return dict(row._mapping)


@app.post("/row")
def write() -> dict[str, Any]:
    with engine.begin() as connection:
        made = connection.execute(text("INSERT INTO bare (t) VALUES ('bare') RETURNING id, t"))
        return dict(made.one()._mapping)
