"""How many images of people a second one core makes, JPEG and writing included.

Prints the best of several rounds of ``poselab.synthetic.generate`` with one worker, and its ratio
to the limit of 150 a second; exits with 1 below it. Seconds are those that the process had a core,
so that a busy machine does not count as a slow generator; wall-clock rates stand beside them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from poselab.synthetic import Settings, generate

LIMIT = 150.0


def main() -> int:
    """Measure and print; 0 where the limit is met."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--images", type=int, default=256, help="images a round")
    words.add_argument("--rounds", type=int, default=5)
    arguments = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "warm", Settings(8), workers=1)
        rates, walls = [], []
        for number in range(arguments.rounds):
            start, wall = time.process_time(), time.perf_counter()
            generate(Path(folder) / str(number), Settings(arguments.images), workers=1)
            rates.append(arguments.images / (time.process_time() - start))
            walls.append(arguments.images / (time.perf_counter() - wall))
    best = max(rates)
    print(f"wall-clock: {', '.join(f'{rate:.0f}' for rate in walls)} images/s")
    print(f"core time: {', '.join(f'{rate:.0f}' for rate in rates)} images/s")
    print(
        f"generator: {best:.0f} images/s on one core, {best / LIMIT:.2f} of the limit {LIMIT:.0f}"
    )
    return 0 if best >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
