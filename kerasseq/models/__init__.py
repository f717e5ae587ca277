"""A configuration and a builder, one model a file."""
