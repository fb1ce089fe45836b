"""DuckDB: connections, rendering and analysis of SQL."""
