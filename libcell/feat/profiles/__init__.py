"""Feature tables as profiles: scaled, thinned out, one row per well."""
