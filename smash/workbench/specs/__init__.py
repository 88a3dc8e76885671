"""Specs: YAML files, their schema, overrides of single keys."""
