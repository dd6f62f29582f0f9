"""From images to links through our own tracking network: cells found, hypotheses weighed."""
