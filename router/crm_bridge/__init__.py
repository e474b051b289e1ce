"""Bridges to CRMs, and the company's own directory of people (`directory`)."""
