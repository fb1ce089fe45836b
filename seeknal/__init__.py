"""Seeknal: interval-by-interval processing of time-series data with DuckDB."""

__version__ = "0.1.0"
