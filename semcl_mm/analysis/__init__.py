"""From finished runs to tables and pictures. ``tools/analyze`` is the command line of this."""
