"""Values of the trade."""
