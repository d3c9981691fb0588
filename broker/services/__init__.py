"""Use cases: each owns its transaction, says who may do it, and what follows from it."""
