"""How things look on pages: values for templates, made from those that services give."""
