"""The benches run and measure what they say. Speed is not judged here."""
