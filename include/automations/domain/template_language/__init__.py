"""The language of templates: Jinja's syntax over plain JSON values, with every work counted.

No engine that there is bounds what a template costs: one slice in a loop holds minijinja for
minutes, and Jinja's own runtime counts nothing. So texts are parsed by Jinja, within bounds, and
its tree is evaluated here: each node, item and piece of text is charged to a meter before it is
made, whose end is the template's. Whatever a template does is Python's own, so that other threads
go on meanwhile.
"""
