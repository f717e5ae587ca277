"""From a file or a string to ids."""
