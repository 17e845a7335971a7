"""The final training: chosen networks trained for real, from several seeds, and tested once."""
