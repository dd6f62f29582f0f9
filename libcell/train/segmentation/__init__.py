"""What `cell-train segmenter` learns from: fields prepared once, crops drawn and changed."""
