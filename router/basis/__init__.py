"""Values of the trade and the machine contract. No I/O, no clock, no vendor's word.

Everything else in the project imports from here; nothing here imports from elsewhere in the project.
"""
