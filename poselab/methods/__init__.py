"""One folder for each method that has parts of its own."""
