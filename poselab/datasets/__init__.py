"""The files of each dataset, one module per dataset, and images that two datasets share."""
