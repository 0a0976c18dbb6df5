"""Lightning callbacks, schedules, layer decay and validation during training."""
