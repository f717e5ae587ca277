"""From a saved run to checked files, one task a file."""
