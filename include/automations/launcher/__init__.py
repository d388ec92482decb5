"""The launcher: brings every part of an installation up, watches them and takes them down."""
