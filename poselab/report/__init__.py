"""Tables, plots and the HTML report of evaluations and comparisons."""
