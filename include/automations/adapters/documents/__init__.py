"""Documents from templates: a confined child process fills, converts and typesets them.

A template's author is not trusted with our worker: everything that reads a template, or what was
made of one, happens in ``child``, under limits of time and memory and without our environment.
"""
