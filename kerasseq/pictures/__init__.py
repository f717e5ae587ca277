"""Results as PNG pictures and as pages."""
