"""Add up what several test runs reported:  python scripts/tally.py DIRECTORY

Reads every JUnit XML file of the directory and ends with one line, such as `tests: 1200 passed, 0 failed, 3 skipped`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def main() -> int:
    total = failed = skipped = 0
    for file in sorted(Path(sys.argv[1]).glob("*.xml")):
        for suite in ElementTree.parse(file).iter("testsuite"):
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    print(f"tests: {total - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or total == skipped else 0


if __name__ == "__main__":
    sys.exit(main())
