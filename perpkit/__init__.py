"""perpkit: a small, exact, offline perpetuals market and the Python tools around it."""

__version__ = "0.1.0"
