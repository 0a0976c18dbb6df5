"""Which prediction belongs to which ground-truth instance."""
