"""How a unit's result is published."""
