"""What the pipeline costs as fields of view grow in number: `make scale`."""
