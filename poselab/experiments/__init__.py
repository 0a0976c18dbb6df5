"""From conf to objects, run folders, resuming, suites and ablations."""
