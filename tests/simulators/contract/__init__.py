"""The shipped contract suite and the package it comes with."""
