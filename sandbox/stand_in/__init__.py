"""What every stand-in has: switches for faults, a log of calls, a file for its world, pages."""
