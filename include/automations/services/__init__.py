"""The use cases: what clients may ask for, one transaction each."""
