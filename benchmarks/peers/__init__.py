"""What we measure ourselves against, run the same way in the same minutes."""
