"""A FastAPI app on uvicorn."""

from __future__ import annotations

import os

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float


@app.get("/")
def index() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/items")
def add(item: Item) -> Item:
    return item


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
