"""`python -m tests.objectstore`: commands on S3, and on an S3 that fails."""
