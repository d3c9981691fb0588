"""The data layer on a real PostgreSQL."""
