"""Logs that past versions wrote: every later version must be able to read and repeat them."""
