"""`make blocks`: every code block of README and docs is run, and a table says what came of it."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.docs_blocks.kitchen import Kitchen
from tests.docs_blocks.pages import PAGES, blocks
from tests.docs_blocks.sandbox import Ran, run_page


def main() -> int:
    """0 if every block that is run does what its page says."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs_blocks", description=__doc__)
    parser.add_argument("pages", nargs="*", help="paths below the root [all with code]")
    parser.add_argument("-j", type=int, default=2, help="pages at once [%(default)s]")
    parser.add_argument("--keep", type=Path, help="folder to work in, new, and to leave behind")
    given = parser.parse_args()
    pages = given.pages or [p for p in PAGES if blocks(p)]
    with tempfile.TemporaryDirectory() as temporary:
        root = given.keep or Path(temporary)
        kitchen = Kitchen(root / "kitchen")
        with ThreadPoolExecutor(given.j) as pool:
            faults = sum(pool.map(lambda page: report(page, root, kitchen), pages))
    print(f"{len(pages)} pages, {faults} with a block that does not do what it says")
    return min(faults, 1)


def report(page: str, root: Path, kitchen: Kitchen) -> int:
    """Run a page and print its line; 1 if a block went wrong."""
    every = blocks(page)
    left = [b for b in every if b.not_run]
    start = time.perf_counter()
    ran: list[Ran] = []
    try:
        ran += run_page(page, root / page.replace("/", "-"), kitchen)
        wrong = next((r for r in ran if r.fault), None)
        said = f"{wrong.block.where}: {wrong.fault}" if wrong else ""
    except RuntimeError as error:
        said = str(error)
    lines = [f"{'FAILS' if said else 'done ':5} {time.perf_counter() - start:6.1f} s  {page:<28} "
             f"{len(every) - len(left)} of {len(every)} blocks"]
    lines += [f"        not run, {b.where}: {b.not_run}" for b in left]
    print("\n".join([*lines, said] if said else lines), flush=True)
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
