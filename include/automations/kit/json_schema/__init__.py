"""JSON schemas that users write, and those that are made of their forms: one validator for all.

It is our own since the library's is none for strangers: its patterns go back, its uniqueness is
quadratic, a `$schema` in a part changes the rules for it, and nothing bounds what references add
up to. Here each check is counted, and a schema reaches nothing but itself.
"""
