"""Records of a small class, as grading writes them."""

from typing import Any, cast

from layers_book.coursework.grade.record import QuestionRecord, Record


def question(name: str, points: float | None, out_of: float, **other: Any) -> Any:
    """One question; graded unless said otherwise."""
    fields: dict[str, Any] = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "state": "graded",
        "points": points,
        "max_points": out_of,
        "key": "c" * 64,
        "parts": [],
        "mistake": "",
        "hint": "",
        "seen": "",
        "error": "",
        "reason": "",
    }
    return cast(QuestionRecord, fields | other)


def record(student: str, *questions: QuestionRecord, **other: Any) -> Any:
    """One submission's record; graded unless said otherwise."""
    given = [q["points"] for q in questions if q["points"] is not None]
    fields: dict[str, Any] = {
        "schema": 1,
        "assignment": "normalization",
        "student": student,
        "submission": "a" * 64,
        "key": "b" * 64,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "helpers": "0.1.0"},
        "state": "graded",
        "reason": "",
        "notes": [],
        "cells": [],
        "questions": list(questions),
        "points": sum(given) if given else None,
        "max_points": sum(
            q["max_points"] for q in questions if q["points"] is not None
        ),
        "seconds": 0.04,
    }
    return cast(Record, fields | other)


def ada() -> Any:
    """A submission with one question in each state."""
    return record(
        "ada",
        question(
            "batch_norm",
            4.0,
            6.0,
            title="BatchNorm by hand",
            parts=[
                {
                    "title": "the output",
                    "points": 4.0,
                    "max_points": 4.0,
                    "passed": True,
                },
                {
                    "title": "the gradient with respect to x",
                    "points": 0.0,
                    "max_points": 2.0,
                    "passed": False,
                },
            ],
            mistake="detached statistics",
            hint="The gradient must also flow through mean and variance.",
            seen="x (5, 3, 4), eps=0.1",
        ),
        question("layer_norm", 3.0, 3.0, title="LayerNorm over the last axis"),
        question(
            "running",
            0.0,
            4.0,
            title="Running statistics",
            error="RuntimeError in line 3 of your cell: The size of tensor a (4) must "
            "match the size of tensor b (3) at non-singleton dimension 1",
            hint="running_mean has one entry a channel: shape (C,).",
        ),
        question("group_norm", 0.0, 3.0, state="not answered"),
        question("instance_norm", 0.0, 2.0, state="not answered"),
        question(
            "slow", 0.0, 2.0, state="stopped", reason="took longer than 10 s", title="S"
        ),
        question("report", None, 5.0, state="manual", title="What batch size changes"),
        notes=["the cell batch_norm appears twice: the last one is graded"],
        cells=[
            {"cell": "setup", "state": "ok", "error": ""},
            {"cell": "explore", "state": "error", "error": "NameError: name 'y'"},
        ],
    )


ANSWERS = {
    "batch_norm": "def batch_norm(x, weight, bias, eps=1e-5):\n"
    "    mean = x.mean((0, 2), keepdim=True).detach()  # (1, C, 1)\n"
    "    var = x.var((0, 2), unbiased=False, keepdim=True).detach()\n"
    "    y = (x - mean) / torch.sqrt(var + eps)\n"
    "    return y * weight.reshape(1, -1, 1) + bias.reshape(1, -1, 1)",
    "running": "running_mean = torch.zeros(4)\n\nrunning_mean += x.mean((0, 2))",
    "report": "With a small batch the statistics are noisy, so the outputs of one "
    "sample depend on which others it is drawn with.\n\nWith 2 samples ...",
}
