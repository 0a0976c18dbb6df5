"""What is wrong with predictions before anybody scores them."""
