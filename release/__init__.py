"""What a release is made of: the list of its parts, their licences, the version, what is built."""
