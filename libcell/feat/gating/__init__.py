"""Gates: thresholds on features that say which class an object truly is."""
