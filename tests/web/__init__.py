"""Pages: rendering, presses, streams, headers."""
