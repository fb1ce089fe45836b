"""The only place that knows DuckDB: what a flow's SQL means, and how it is run."""
