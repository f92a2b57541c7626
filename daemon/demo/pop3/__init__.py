"""POP3 in memory: the demo's second bridge."""
