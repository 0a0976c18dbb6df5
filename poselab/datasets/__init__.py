"""Where each dataset keeps its files, and images that two datasets share."""
