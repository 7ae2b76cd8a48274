"""Renders a report and writes it, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from perpkit.report.canvas import plain_style
from perpkit.report.data import Report, StoryContents, StoryPage
from perpkit.report.panels import drawn
from perpkit.report.pictures import pictures_of, span_of
from perpkit.report.text import span_text


def render_report(report: Report) -> str:
    """The report as one HTML page, without a reference to anything outside it."""
    with plain_style():
        pictures = pictures_of(report)
    return _filled(
        "report.html.j2",
        title=report.title,
        report=report,
        span=span_text(span_of(report)) if any(span_of(report)) else "",
        laws=[(name.replace("_", " "), held) for name, held in report.laws.items()],
        broken=sum(not held for held in report.laws.values()),
        **pictures,
    )


def write_report(report: Report, directory: Path) -> Path:
    """Writes `index.html` in the directory, whole or not at all, and returns its path."""
    return _write(render_report(report), directory / "index.html")


def render_story(page: StoryPage) -> str:
    """A story as one HTML page, without a reference to anything outside it."""
    with plain_style():
        pictures = [(picture, drawn(f"picture-{i}", picture)) for i, picture in enumerate(page.pictures)]
    return _filled("story.html.j2", title=page.title, page=page, pictures=pictures)


def write_story(page: StoryPage, path: Path) -> Path:
    """Writes the page, whole or not at all, and returns its path."""
    return _write(render_story(page), path)


def write_contents(contents: StoryContents, directory: Path) -> Path:
    """Writes `index.html`, which leads to the stories beside it."""
    return _write(_filled("stories.html.j2", title=contents.title, contents=contents), directory / "index.html")


def _filled(template: str, **values: object) -> str:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    templates = resources.files("perpkit") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (templates / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def _write(page: str, target: Path) -> Path:
    """The page is whole before anything on disk changes."""
    made = _make_directories(target.parent)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}.tmp"
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
