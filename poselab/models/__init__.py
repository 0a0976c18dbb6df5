"""Networks: a backbone extracts features, a neck resamples them, a head makes the output."""
