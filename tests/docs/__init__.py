"""The papers say what is so: examples load, paths exist, names are names of the code, commands are commands."""
