"""What an exported file computes, one task a file."""
