"""What models of bags and of sequences attended to: tables in, a page out."""
