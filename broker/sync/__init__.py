"""Planning, expanding and applying what a provider said."""
