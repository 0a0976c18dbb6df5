"""poselab doctor: does every codec decode what it encodes?"""

from __future__ import annotations

import argparse
import sys

from poselab.cli.arguments import Arguments, output_folder

_DESCRIPTION = """Encode keypoints with every codec, decode them, and report the errors.

Every codec × pixel convention × input size, plain and through the flipped input (flip test),
over a lattice of sub-pixel positions; errors in input pixels beside the resolution that the codec
states. Takes seconds. Exit status: 0 every codec is as exact as it states, 1 one is not.

Writes OUT/round_trips.csv and OUT/round_trips.png where --out is given."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--out", type=output_folder, metavar="DIR", help="folder for the table and the plot"
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write where asked."""
    from poselab.experiments.round_trip import round_trips
    from poselab.io.files import write_bytes
    from poselab.report.round_trips import describe_trip, draw_round_trips, round_trip_rows
    from poselab.report.tables import csv_text, print_table

    trips = list(round_trips())
    print_table(round_trip_rows(trips), "Errors in input pixels, the worst over input sizes.")
    if arguments.out is not None:
        columns = [{**trip._asdict(), "size": describe_trip(trip).split()[0]} for trip in trips]
        write_bytes(arguments.out / "round_trips.csv", csv_text(columns).encode())
        draw_round_trips(trips, arguments.out / "round_trips.png")
        print(f"table and plot: {arguments.out}")
    failed = [trip for trip in trips if not trip.passed]
    for trip in failed:
        print(
            f"poselab doctor: expected {trip.codec} with {trip.pixels} pixels at "
            f"{describe_trip(trip)} within {trip.stated:.4f} pixels, got {trip.worst:.4f}",
            file=sys.stderr,
        )
    print(f"{len(trips) - len(failed)} of {len(trips)} round trips are as exact as stated")
    return int(bool(failed))
