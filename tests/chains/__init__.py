"""Machines and rules of `router.chains`, each for itself."""
