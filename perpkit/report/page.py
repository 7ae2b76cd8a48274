"""Renders a report and writes it, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from perpkit.report.canvas import plain_style
from perpkit.report.data import Report
from perpkit.report.pictures import pictures_of, span_of
from perpkit.report.text import span_text


def render_report(report: Report) -> str:
    """The report as one HTML page, without a reference to anything outside it."""
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("perpkit") / "templates" / "report.html.j2").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    with plain_style():
        pictures = pictures_of(report)
    return environment.from_string(template).render(
        report=report,
        span=span_text(span_of(report)) if any(span_of(report)) else "",
        laws=[(name.replace("_", " "), held) for name, held in report.laws.items()],
        broken=sum(not held for held in report.laws.values()),
        **pictures,
    )


def write_report(report: Report, directory: Path) -> Path:
    """Writes `index.html` in the directory, whole or not at all, and returns its path."""
    page = render_report(report)  # before anything on disk changes
    made = _make_directories(directory)
    target = directory / "index.html"
    temporary = directory / f".index.html.{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_empty(made)
        raise
    return target


def _make_directories(directory: Path) -> list[Path]:
    """Makes the directory and its parents; returns those that were not there, deepest first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(directories: Iterable[Path]) -> None:
    for directory in directories:
        try:
            directory.rmdir()
        except OSError:  # someone else put something there meanwhile
            return
