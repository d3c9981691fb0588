"""The authorization server: each promise of the standard, and an attack on it."""
