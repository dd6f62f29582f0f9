"""The report as one HTML file: plain data in, text out; nothing is read from disk here."""
