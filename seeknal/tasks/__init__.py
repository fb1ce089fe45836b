"""What a unit executes."""
