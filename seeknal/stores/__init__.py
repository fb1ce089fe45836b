"""Where completions, leases and runs are kept."""
