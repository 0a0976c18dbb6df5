"""Where each dataset keeps its files, one file a dataset, and images that two datasets share."""
