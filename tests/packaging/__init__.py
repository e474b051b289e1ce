"""The packed product: locks, wheel, image, papers of operation, and the rooms' import contracts."""
