"""A user's file -> plan -> training -> pictures, one part a file."""
