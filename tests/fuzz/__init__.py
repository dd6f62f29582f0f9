"""`make fuzz`: damaged and hostile input through every reader, each case in a sandbox."""
