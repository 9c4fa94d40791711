"""The pure part: no I/O, clock, environment, randomness or async. Start with `types`, then `errors`."""
