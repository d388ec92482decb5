"""How values of the product are shown in answers."""
