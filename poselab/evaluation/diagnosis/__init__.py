"""Which errors a method makes, and the AP that each kind costs."""
