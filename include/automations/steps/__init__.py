"""One module per step type; the registry finds them."""
