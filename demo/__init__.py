"""The demo, as a package so that benchmarks can share its data."""
