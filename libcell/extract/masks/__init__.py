"""Objects that come one by one, each with a mask or an outline of its own."""
