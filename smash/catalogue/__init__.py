"""Data sets by name: published ones, the simulated one, own files."""

from smash.catalogue.datasets import load_dataset

__all__ = ["load_dataset"]
