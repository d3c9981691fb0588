"""The numbers that we hold ourselves to, measured: `make bench`."""
