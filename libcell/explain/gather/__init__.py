"""What a report is made of: the inputs read, and arranged into sections."""
