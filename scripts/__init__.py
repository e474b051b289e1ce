"""What prepares, checks and packs the project; nothing here is shipped.

Shell scripts install by apt package name, are idempotent and end with 3 where only root could go on. Python scripts
need the standard library only.
"""
