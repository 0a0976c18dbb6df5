"""Images that training and evaluation sets share."""
